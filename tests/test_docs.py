"""What the documents say is what the code does: every block runs, every default written down is the default."""

import ast
import inspect
import re
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

import gossamer
from gossamer import methods
from gossamer.bench.models import build
from gossamer.bench.recipes import RECIPES

ROOT = Path(__file__).parents[1]
CARDS = {path.stem: path for path in sorted((ROOT / "docs" / "methods").glob("*.md")) if path.stem != "README"}
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.py") if path.stem != "__init__")
HEADINGS = [
    "What it is", "In a bare loop", "Settings", "What a step costs", "Interactions", "Deviations offered"
]  # fmt: skip
DATA = ("model", "loss_fn", "batch_or_loader", "params", "generator")  # what a call is given, besides its settings
WITHOUT_CARD = ("sparsity",)  # of the functions before training, positional


def blocks(path):
    """Each python block with the number of its first line."""
    text = path.read_text()
    found = re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [(text[: match.start()].count("\n") + 2, match[1]) for match in found]


def execute(path, line, code, namespace):
    # blank lines before it, so that a traceback shows the document's own line
    exec(compile("\n" * (line - 1) + code, str(path), "exec"), namespace)


def promised(code):
    """What the comments behind its prints say that a block prints."""
    return re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)


def settings(card):
    """The rows of a card's table: setting, those it belongs to, its default as written, its source."""
    section = card.read_text().split("\n## Settings\n")[1].split("\n## ")[0]
    for row in re.findall(r"^\| (`.*?) \| (.*?) \| (.*) \|$", section, re.MULTILINE):
        name, *owners = re.findall(r"`(\w+)`", row[0])
        yield name, owners, row[1].strip("`"), row[2]


def index():
    """Recipe and card of each row of the index."""
    text = (ROOT / "docs" / "methods" / "README.md").read_text()
    return re.findall(r"^\| `(\w+)` \| \[(\w+)\]\((\w+)\.md\) \|", text, re.MULTILINE)


def recipes_of(card):
    return [recipe for recipe, name, _ in index() if name == card]


def callable_of(owner):
    recipe = RECIPES.get(owner)
    return recipe.settings if recipe is not None else getattr(methods, owner)


def defaults(owner):
    found = inspect.signature(callable_of(owner)).parameters.values()
    return {parameter.name: parameter.default for parameter in found if parameter.name not in DATA}


def value_of(written):
    return getattr(gossamer, written) if hasattr(gossamer, written) else ast.literal_eval(written)


def test_the_index_has_one_row_a_recipe_in_their_order():
    assert [recipe for recipe, _, _ in index()] == list(RECIPES)


def test_every_card_is_in_the_index_and_every_link_leads_to_one():
    assert {name for _, name, _ in index()} == {link for _, _, link in index()} == set(CARDS)


@pytest.mark.parametrize("card", CARDS)
def test_a_card_names_its_recipes_and_has_the_fixed_headings(card):
    text = CARDS[card].read_text()
    title = text.splitlines()[0]
    assert all(f"`{recipe}`" in title for recipe in recipes_of(card))
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS


@pytest.mark.parametrize("card", CARDS)
def test_defaults_in_a_card_are_those_of_the_code(card):
    for name, owners, written, _ in settings(CARDS[card]):
        for owner in owners or [recipe for recipe in recipes_of(card) if RECIPES[recipe].settings]:
            known = defaults(owner)
            assert name in known, f"{owner} has no setting {name}"
            if written == "required":
                assert known[name] is inspect.Parameter.empty, f"{owner}.{name} has the default {known[name]!r}"
            else:
                assert known[name] == value_of(written), f"{owner}.{name} is {known[name]!r}, the card says {written}"


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.settings])
def test_a_card_lists_every_setting_with_its_source(recipe):
    card = next(name for known, name, _ in index() if known == recipe)
    rows = [(name, source) for name, owners, _, source in settings(CARDS[card]) if not owners or recipe in owners]
    before_training = recipe in gossamer.AT_INIT
    expected = set(defaults(recipe)) - (set(WITHOUT_CARD) if before_training else set())
    # a ticket's class is named in the table itself
    listed = {name for name, _ in rows} | ({"sparsity"} if recipe == "lth" else set())
    assert listed == expected
    assert all(source.strip() for _, source in rows)


@pytest.mark.parametrize(
    ("path", "line", "code"),
    [
        pytest.param(path, line, code, id=f"{name}:{line}")
        for name, path in CARDS.items()
        for line, code in blocks(path)
    ],
)
def test_blocks_of_cards_run_and_print_what_they_say(path, line, code, capsys):
    execute(path, line, code, {"__name__": "__main__"})
    expected = promised(code)
    assert expected
    assert capsys.readouterr().out.splitlines() == expected


def test_every_card_has_a_block():
    assert all(blocks(path) for path in CARDS.values())


def test_blocks_of_the_readme_run_one_after_the_other():
    torch.manual_seed(0)
    model = nn.Linear(20, 2)
    namespace = {name: getattr(gossamer, name) for name in gossamer.__all__} | {
        "__name__": "__main__",
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "criterion": nn.functional.cross_entropy,
        "loader": [(torch.randn(8, 20), torch.randint(2, (8,))) for _ in range(3)],
    }
    found = blocks(ROOT / "README.md")
    for line, code in found:
        execute(ROOT / "README.md", line, code, namespace)
    assert found


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_and_print_counts(path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    runpy.run_path(str(path), run_name="__main__")
    assert re.search(r"\d+ (live )?weights", capsys.readouterr().out)


def test_the_bare_loop_is_as_sparse_as_it_says(capsys):
    found = runpy.run_path(str(ROOT / "examples" / "bare_loop.py"), run_name="__main__")
    nonzero = sum(int(layer.weight.count_nonzero()) for layer in found["model"][::2])
    assert nonzero == round(0.1 * (20 * 64 + 64 * 64 + 64 * 2))
    assert f"{nonzero} weights are not zero" in capsys.readouterr().out


def test_the_example_with_everything_ends_with_the_same_bits(capsys):
    found = runpy.run_path(str(ROOT / "examples" / "everything.py"))
    found["main"]()
    assert "in one go: True" in capsys.readouterr().out


@pytest.mark.parametrize(("image_size", "channels", "width"), [(8, 1, 1.0), (28, 3, 0.25)])
def test_the_factory_of_the_example_serves_the_workbench(image_size, channels, width, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    sizes = {"num_classes": 7, "image_size": image_size, "channels": channels}
    model = build("examples.own_model:net", width=width, **sizes)
    assert model(torch.rand(2, channels, image_size, image_size)).shape == (2, 7)


def test_faithful_names_only_settings_that_exist():
    """Every ``Class(name=...)`` or ``function(name=...)`` of gossamer in the tables takes that keyword."""
    text = (ROOT / "docs" / "faithful.md").read_text()
    named = {name: getattr(gossamer, name) for name in gossamer.__all__} | dict(gossamer.AT_INIT)
    calls = [(owner, keyword) for owner, keyword in re.findall(r"`(\w+)\((\w+)=", text) if owner in named]
    assert len(calls) > 8
    for owner, keyword in calls:
        assert keyword in inspect.signature(named[owner]).parameters, f"{owner} has no {keyword}"
