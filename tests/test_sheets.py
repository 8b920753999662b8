"""Sheets of a comparison: the right images in the right places with the right words, and the same bytes each time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from gossamer.bench import sheets as module
from gossamer.bench.adversarial import Adversarial
from gossamer.bench.data import seeded
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.difficulty import Corrupted, Hard
from gossamer.bench.place import Bench
from gossamer.bench.prepare import Prepared, corrupted, prepare
from gossamer.bench.run import run
from gossamer.bench.score import Scored, trained
from gossamer.bench.sheets import attacked_sheet, corrupted_sheet, hard_sheet, kept, kinds_of, sheets
from gossamer.bench.shown import first_of_each, name_of, picture, short
from gossamer.bench.spec import RunSpec
from gossamer.corrupt import corrupt
from gossamer.figure.sheet import Row
from gossamer.hardness import SCORES, hardest
from tests.workbench import bench, digits, spec

Drawn = list[tuple[list[Row], str, Path, tuple[str, ...]]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """What would be drawn."""
    seen: Drawn = []

    def watched(rows: list[Row], title: str, stem: Path, columns: tuple[str, ...] = ()) -> list[Path]:
        seen.append((rows, title, stem, columns))
        return [stem]

    monkeypatch.setattr(module, "sheet", watched)
    return seen


def scored(values: Tensor) -> Scored:
    return Scored("grand", values[None], values, 1, ("key",))


def test_the_easiest_stand_left_and_the_hardest_right(drawn: Drawn) -> None:
    values = torch.rand(96, generator=seeded(1), dtype=torch.float64)
    hard_sheet(bench(Path("unused")), scored(values), "title", Path("stem"))
    ((rows, title, stem, columns),) = drawn
    assert (title, stem, columns) == ("title", Path("stem"), ("easiest", "hardest"))
    assert [row.label for row in rows] == list("0123456789")
    for label, row in enumerate(rows):
        own = sorted((float(values[n]), n) for n in range(96) if int(digits().train_labels[n]) == label)
        expected = [*own[:5], *own[-5:]]
        assert row.words == [short(value) for value, _ in expected]
        assert not any(row.marked)
        for image, (_, number) in zip(row.images, expected, strict=True):
            assert (image == digits().train_images[number, 0].numpy()).all()


def test_samples_never_learned_are_the_hardest(drawn: Drawn) -> None:
    values = torch.zeros(96, dtype=torch.float64)
    values[40] = torch.inf
    hard_sheet(bench(Path("unused")), scored(values), "title", Path("stem"))
    words = drawn[0][0][int(digits().train_labels[40])].words
    assert (words[-1], words[0]) == ("∞", "0")


@pytest.mark.parametrize(
    ("score", "told"),
    [(0.0, "0"), (1.0, "1.0"), (1.2345, "1.2"), (0.0123, "0.012"), (0.001, "0.0010"), (0.00099, "<0.001"),
     (-0.5, "-0.50"), (-1e-9, ">-0.001"), (123.4, "123"), (99.6, "100"), (-310.2, "-310"), (float("inf"), "∞")],
)  # fmt: skip
def test_numbers_under_images_have_one_form(score: float, told: str) -> None:
    assert short(score) == told


def test_scores_have_the_names_of_their_papers() -> None:
    assert [name_of(each) for each in ("el2n", "grand", "forgetting")] == ["EL2N", "GraNd", "forgetting"]
    assert all("_" not in name_of(each) for each in SCORES)


@pytest.mark.parametrize("tied", [True, False])
def test_ties_that_decide_what_is_shown_are_told(tied: bool, drawn: Drawn) -> None:
    values = torch.rand(96, generator=seeded(1), dtype=torch.float64)
    if tied:
        values[digits().train_labels == 3] = 0.25
    hard_sheet(bench(Path("unused")), scored(values), "title", Path("stem"))
    assert drawn[0][1] == ("title; equal scores in the order of the data set" if tied else "title")


@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_the_images_that_are_trained_on_are_framed(keep: float, drawn: Drawn, tmp_path: Path) -> None:
    each = spec("dense", hard=Hard(models=1, epochs=1, keep=0.5), keep=keep)
    ready = prepare(each, bench(tmp_path))
    assert ready.scored is not None
    mine = hardest(ready.scored.mean, 0.5).tolist()
    assert kept(ready).nonzero().flatten().tolist() == mine
    sheets(ready, each, "title", tmp_path)
    rows, title, _, _ = drawn[0]
    assert title.endswith(f"; framed: the {len(mine)} that are trained on")
    for label, row in enumerate(rows):
        own = (ready.pool.train.labels == label).nonzero().flatten()
        order = own[torch.argsort(ready.scored.mean[own], stable=True)].tolist()
        assert row.marked == [index in mine for index in (*order[:5], *order[-5:])]


def many(classes: int) -> Dataset:
    """Two images of each class."""
    labels, images = torch.arange(classes).repeat(2), digits(2 * classes, 2 * classes).train_images
    return replace(
        digits(), train_images=images, train_labels=labels, test_images=images, test_labels=labels,
        classes=tuple(f"class {number:02}" for number in range(classes)),
    )  # fmt: skip


@pytest.mark.parametrize(("classes", "more"), [(10, ""), (14, "; the first 10 of 14 classes")])
def test_a_sheet_of_many_classes_says_which_it_shows(classes: int, more: str, drawn: Drawn) -> None:
    data = many(classes)
    hard_sheet(bench(Path("unused"), data), scored(torch.rand(2 * classes).double()), "title", Path("stem"))
    rows, title, _, _ = drawn[0]
    assert title == f"title{more}"
    assert [row.label for row in rows] == list(data.classes[:10])
    assert all(len(row.images) == len(row.words) == 4 for row in rows)  # two, as the easiest and as the hardest


def test_test_images_stand_above_their_corruptions(drawn: Drawn, tmp_path: Path) -> None:
    how = Corrupted(kinds=("impulse_noise",), severity=5)
    place = prepare(spec(corrupted=how), bench(tmp_path)).bench
    corrupted_sheet(place, how, "title", Path("stem"))
    ((clean, changed), _, _, _) = drawn[0]
    assert (clean.label, changed.label) == ("clean", "corrupted")
    firsts = [digits().test_labels.tolist().index(label) for label in range(10)]
    assert clean.words == list("0123456789")
    assert changed.words == ["impulse noise"] * 10
    for number, one, other in zip(firsts, clean.images, changed.images, strict=True):
        assert (one == digits().test_images[number, 0].numpy()).all()
        assert (other == place.data.test_images[number, 0].numpy()).all()
        assert (one != other).any()


def test_every_image_has_the_kind_that_it_was_corrupted_by() -> None:
    how, data = Corrupted(kinds=("brightness", "contrast", "pixelate"), severity=4, seed=3), digits()
    changed = corrupted(data, how, "cifar-c").test_images
    seen = kinds_of(data, how, range(40))
    assert set(seen) == set(how.kinds)
    for place, kind in enumerate(seen):
        one = corrupt(data.test_images[place : place + 1], kind, 4, family="cifar-c")
        assert torch.equal(one[0], changed[place])
    assert kinds_of(data, how, [7, 2]) == [seen[7], seen[2]]


def adversarial(out: Path) -> tuple[RunSpec, Bench]:
    each = spec("dense", adversarial=Adversarial(train="fgsm", evaluate="pgd3:eps=0.2"))
    run(each, bench(out))
    return each, bench(out)


def test_an_attack_is_shown_with_the_answers_it_gets(drawn: Drawn, tmp_path: Path) -> None:
    each, place = adversarial(tmp_path)
    attacked_sheet(place, each, "title", Path("stem"))
    ((clean, attacked, change), _, _, _) = drawn[0]
    assert [row.label for row in (clean, attacked, change)] == ["clean", "attacked", "change ×10"]
    model = trained(each, place)
    firsts = torch.tensor([digits().test_labels.tolist().index(label) for label in range(10)])
    inputs = digits().test_images[firsts].float() / 255
    with torch.no_grad():
        answers = model(inputs).argmax(1).tolist()
    assert clean.words == [f"{label} → {answer}" for label, answer in enumerate(answers)]
    for row in (clean, attacked):
        assert row.marked == [word[0] != word[-1] for word in row.words]
    assert sum(attacked.marked) > sum(clean.marked)
    assert not any(change.marked)
    for before, after, strong in zip(clean.images, attacked.images, change.images, strict=True):
        moved = after.astype(int) - before.astype(int)
        assert abs(moved).max() <= 51  # 0.2 of 255
        assert (abs(moved) > 40).any()
        assert abs(strong.astype(int) - (128 + 10 * moved).clip(0, 255)).max() <= 10  # levels are whole
    assert attacked.words != clean.words


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, []),
        ({"keep": 0.5}, []),
        ({"hard": Hard(models=1, epochs=1)}, ["hard"]),
        ({"corrupted": Corrupted()}, ["corrupted"]),
        ({"adversarial": Adversarial(train=None, evaluate="fgsm")}, ["attacked"]),
        ({"hard": Hard(models=1), "corrupted": Corrupted(), "adversarial": Adversarial(train="fgsm", evaluate="fgsm")},
         ["hard", "corrupted", "attacked"]),
    ],
)  # fmt: skip
def test_every_kind_of_hardness_has_its_sheet(
    changes: dict[str, Any], names: list[str], drawn: Drawn, tmp_path: Path
) -> None:
    each = spec("dense", **changes)
    ready = prepare(each, bench(tmp_path))
    run(each, ready.bench)
    assert sheets(ready, each, "title", tmp_path) == [tmp_path / name for name in names]
    told = {
        "hard": "under each image: EL2N, norm of the error softmax - one-hot; framed: the 48 that are trained on",
        "corrupted": "the first test image of each class, and its kind of corruption",
        "attacked": "the dense network's answers, seed 0\nclass → answer, framed if wrong; change ×10: grey is none, "
        "brighter is more light, darker less",
    }
    assert [title for _, title, _, _ in drawn] == [f"title\n{told[name]}" for name in names]
    if len(names) == 3:  # what is attacked has been corrupted
        assert [row.label for row in drawn[2][0]] == ["corrupted", "attacked", "change ×10"]


def test_the_hard_sheet_is_of_the_images_that_were_chosen_from(drawn: Drawn, tmp_path: Path) -> None:
    each = spec("dense", hard=Hard(models=1, epochs=1, keep=0.5), keep=0.5)
    ready: Prepared = prepare(each, bench(tmp_path))
    sheets(ready, each, "title", tmp_path)
    assert ready.scored is not None
    order = torch.argsort(ready.scored.mean).tolist()
    label = int(ready.pool.train.labels[order[-1]])
    rows = drawn[0][0]
    assert (rows[label].images[-1] == ready.pool.train.images[order[-1], 0].numpy()).all()
    easiest = int(ready.pool.train.labels[order[0]])
    assert (rows[easiest].images[0] == ready.pool.train.images[order[0], 0].numpy()).all()


def test_the_same_comparison_draws_the_same_bytes(tmp_path: Path) -> None:
    how = {"corrupted": Corrupted(), "adversarial": Adversarial(train="fgsm", evaluate="pgd2")}
    each = spec("dense", hard=Hard(models=1, epochs=1), **how)
    files = []
    for name in ("a", "b"):
        ready = prepare(each, bench(tmp_path / name))
        run(each, ready.bench)
        files.append(sheets(ready, each, "title", tmp_path / f"{name}-sheets"))
    assert [path.name for path in files[0]] == [
        f"{name}.{ending}" for name in ("hard", "corrupted", "attacked") for ending in ("png", "svg")
    ]
    for one, other in zip(*files, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_the_first_image_of_each_class() -> None:
    assert first_of_each(torch.tensor([3, 1, 3, 0, 1, 0]), 10) == [3, 1, 0]
    assert first_of_each(torch.tensor([3, 1, 3, 0, 1, 0]), 2) == [3, 1]


def test_pictures_are_whole_levels_with_their_colours_last() -> None:
    grey = picture(torch.tensor([[[-5.0, 0.4], [254.6, 300.0]]]))
    assert (grey.dtype, grey.tolist()) == ("uint8", [[0, 0], [255, 255]])
    assert picture(torch.arange(12).view(3, 2, 2)).shape == (2, 2, 3)
    assert picture(torch.arange(12).view(3, 2, 2))[1, 0].tolist() == [2, 6, 10]
