"""Every name of the command line from its start to its result; what each starts from; what each costs."""

import json
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from gossamer import AT_INIT, GMP, METHODS, RigL, distribution, select
from gossamer.bench import run as run_module
from gossamer.bench.models import build
from gossamer.bench.recipes import RECIPES, find
from gossamer.bench.run import run
from gossamer.bench.settings import TrainSettings
from gossamer.bench.training import Training
from gossamer.core import masks as mask_ops
from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.named import shapes
from tests.workbench import TRAIN, bench, digits, spec

WEIGHTS = 64 * 300 + 300 * 100 + 100 * 10  # of mlp300 on the digits
LIVE = round(0.1 * WEIGHTS)
F = LIVE / WEIGHTS  # all weights of an mlp cost the same
STEPS = 2 * 3
SPARSE = [name for name, recipe in RECIPES.items() if recipe.sparse and name != "small_dense"]
FEW = {"rigl": {"stop": "1"}, "rigl_inverted": {"stop": "1"}, "mest": {"stop": "1"}}  # published ends leave 4 updates
FEW["magnitude"] = {"floor": "1"}  # without it the classifier of an untrained convnet loses all its weights


def settings(name: str, **more: str) -> dict[str, str]:
    interval = {"every": "1"} if name in METHODS and "every" in find(name).resolve(name, {}) else {}
    return {**interval, **FEW.get(name, {}), **more}


def tiny(name: str, **changes: Any) -> Any:
    return spec(name, **{"settings": settings(name), **changes})


def folders(out: Path, recipe: str) -> list[Path]:
    return sorted(path for path in out.glob(f"*-{recipe}-s*") if path.is_dir())


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What every training begins with, in order."""
    seen: list[dict[str, Any]] = []
    initialise = Training.__init__

    def watched(training: Training, model: nn.Module, *rest: Any, **named: Any) -> None:
        given = {name: value.clone() for name, value in model.state_dict().items()}
        initialise(training, model, *rest, **named)
        masks = {} if training.sparsifier is None else {n: m.clone() for n, m in training.sparsifier.masks.items()}
        seen.append({
            "given": given, "masks": masks, "optimizer": deepcopy(training.optimizer.state_dict()["state"]),
            "step": training.step, "lr": training.optimizer.param_groups[0]["lr"],
            "weights": {name: value.clone() for name, value in model.state_dict().items()},
        })  # fmt: skip

    monkeypatch.setattr(Training, "__init__", watched)
    return seen


def initial(model: str, seed: int = 0) -> dict[str, Tensor]:
    """The network as the seed draws it, without the workbench."""
    data = digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        sizes = {"num_classes": 10, "image_size": 8, "channels": 1}
        return build(model, **sizes, normalize=(data.mean, data.std)).state_dict()


def same(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_every_method_and_pruning_at_initialisation_is_a_recipe() -> None:
    assert set(RECIPES) == {"dense", "small_dense", "lth", "omp", "omp_erk"} | (set(METHODS) - {"static"}) | set(
        AT_INIT
    )


@pytest.mark.parametrize("name", SPARSE)
def test_every_recipe_ends_with_exactly_the_weights_asked_for(name: str, tmp_path: Path) -> None:
    each = tiny(name, model="convnet", sparsity=0.83)
    result = run(each, bench(tmp_path))
    folder = tmp_path / each.key
    weights, masks = load_file(folder / "model.safetensors"), load_file(folder / "masks.safetensors")
    total = 9 * (16 + 16 * 32 + 32 * 64 + 64 * 128) + 1280
    live = distribution.live_weights({"all": (total,)}, 0.83)
    assert (result["weights"], result["live_weights"]) == (total, live)
    assert result["sparsity"] == pytest.approx(0.83, abs=0.5 / total)
    unpacked = mask_ops.unpack(masks, {n: tuple(weights[n].shape) for n in masks})
    assert mask_ops.live(unpacked) == live
    assert all(int(weights[n][~mask].count_nonzero()) == 0 for n, mask in unpacked.items())
    assert result["live_parameters"] == sum(p.numel() for p in build_parameters()) - (total - live)
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 2
    assert (folder / "report.txt").read_text().count("\n") > 5
    assert 0 <= result["test_accuracy"] <= 1
    positions = {"conv1.weight": 16, "conv2.weight": 16, "conv3.weight": 4, "conv4.weight": 1, "fc.weight": 1}
    assert result["forward_flops"] == sum(2 * int(mask.sum()) * positions[n] for n, mask in unpacked.items())


def build_parameters() -> list[nn.Parameter]:
    return list(build("convnet", num_classes=10, image_size=8, channels=1).parameters())


@pytest.mark.parametrize("name", SPARSE)
def test_every_recipe_prunes_a_network_of_the_users_own(name: str, tmp_path: Path) -> None:
    result = run(tiny(name, model="tests.dropout_model:network"), bench(tmp_path))
    assert result["live_weights"] == round(0.1 * (64 * 48 + 480))


def test_dense_is_dense(tmp_path: Path, starts: list[dict[str, Any]]) -> None:
    result = run(spec("dense"), bench(tmp_path))
    assert (result["sparsity"], result["live_weights"], result["weights"]) == (0.0, WEIGHTS, WEIGHTS)
    assert (result["training_flops_relative"], result["forward_flops_relative"]) == (1.0, 1.0)
    assert result["forward_flops"] == 2 * WEIGHTS
    assert result["training_flops"] == 3 * 2 * WEIGHTS * 96 * 2  # two epochs of 96 images
    assert same(starts[0]["given"], initial("mlp300"))
    assert not (tmp_path / spec("dense").key / "report.txt").exists()


@pytest.mark.parametrize("name", SPARSE)
def test_every_recipe_starts_from_the_network_of_its_seed_or_what_became_of_it(
    name: str, tmp_path: Path, starts: list[dict[str, Any]]
) -> None:
    run(tiny(name, model="convnet", seed=3), bench(tmp_path))
    if name in ("omp", "omp_erk"):
        assert same(starts[-1]["given"], load_file(folders(tmp_path, "dense")[0] / "model.safetensors"))
    else:
        assert same(starts[-1]["given"], initial("convnet", 3))
    assert (starts[-1]["optimizer"], starts[-1]["step"], starts[-1]["lr"]) == ({}, 0, 0.05)


def largest_globally(weights: dict[str, Tensor], live: int) -> dict[str, Tensor]:
    """The slow way: all magnitudes in one sorted list."""
    ranked = sorted(
        ((abs(float(v)), n, i) for n, w in weights.items() for i, v in enumerate(w.flatten())), reverse=True
    )
    masks = {n: torch.zeros(w.numel(), dtype=torch.bool) for n, w in weights.items()}
    for _, name, index in ranked[:live]:
        masks[name][index] = True
    return {n: mask.view(weights[n].shape) for n, mask in masks.items()}


@pytest.mark.parametrize("name", ["lth", "omp"])
def test_tickets_keep_the_largest_of_the_trained_network(
    name: str, tmp_path: Path, starts: list[dict[str, Any]]
) -> None:
    run(tiny(name, model="convnet"), bench(tmp_path))
    trained = load_file(folders(tmp_path, "dense")[0] / "model.safetensors")
    weights = {n: trained[n] for n in starts[-1]["masks"]}
    live = distribution.live_weights({n: tuple(w.shape) for n, w in weights.items()}, 0.9)
    assert same(starts[-1]["masks"], largest_globally(weights, live))


def test_omp_erk_has_the_counts_of_erk_and_the_largest_of_each_layer(
    tmp_path: Path, starts: list[dict[str, Any]]
) -> None:
    run(tiny("omp_erk", model="convnet"), bench(tmp_path))
    trained = load_file(folders(tmp_path, "dense")[0] / "model.safetensors")
    params = select(build("convnet", num_classes=10, image_size=8, channels=1))
    wanted = distribution.counts(shapes(params), distribution.erk(shapes(params), 0.9))
    for name, mask in starts[-1]["masks"].items():
        assert int(mask.sum()) == wanted[name]
        weight = trained[name].abs()
        assert float(weight[mask].min()) >= float(weight[~mask].max()) if wanted[name] < mask.numel() else True


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")  # see the test below
def test_a_rewound_ticket_starts_as_the_dense_run_was_at_that_step(
    tmp_path: Path, starts: list[dict[str, Any]]
) -> None:
    run(tiny("lth", model="convnet", settings={"rewind": "4"}), bench(tmp_path))
    seen: dict[int, Any] = {}
    dense = Training(
        _fresh("convnet"), bench(tmp_path).train, TRAIN, None, seed=0, augment=run_module.Augment()
    )  # fmt: skip
    while dense.step < 4:
        dense.run_epoch(lambda: None, stop=4)
    seen = dense.state_dict()
    start = starts[-2]  # the last one is the training just above
    assert same(start["given"], seen["model"])
    assert start["given"]["bn1.num_batches_tracked"] == 4
    assert (start["step"], start["lr"]) == (4, dense.optimizer.param_groups[0]["lr"])
    names = [name for name, _ in _fresh("convnet").named_parameters()]
    for index, state in seen["optimizer"]["state"].items():
        mask = start["masks"].get(names[index], torch.tensor(True))
        assert torch.equal(start["optimizer"][index]["momentum_buffer"], state["momentum_buffer"] * mask)


def _fresh(model: str) -> nn.Module:
    network = build(model, num_classes=10, image_size=8, channels=1, normalize=(digits().mean, digits().std))
    network.load_state_dict(initial(model))
    return network


def test_rewinding_says_nothing_about_schedulers(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    run(tiny("lth", settings={"rewind": "2"}), bench(tmp_path))
    assert [str(warning.message) for warning in recwarn] == []


def test_iterative_tickets_prune_the_same_share_each_round(tmp_path: Path, starts: list[dict[str, Any]]) -> None:
    run(tiny("lth", sparsity=0.936, settings={"rounds": "3"}), bench(tmp_path))
    sparsities = [mask_ops.sparsity(start["masks"]) for start in starts if start["masks"]]
    assert sparsities == pytest.approx([0.6, 0.84, 0.936], abs=1e-4)
    for earlier, later in pairwise(starts[1:]):
        assert all(bool((earlier["masks"][n] | ~later["masks"][n]).all()) for n in later["masks"])  # subsets
    assert all(same(start["given"], initial("mlp300")) for start in starts)
    lines = [json.loads(line) for line in (folders(tmp_path, "lth")[0] / "metrics.jsonl").read_text().splitlines()]
    assert Counter(line["round"] for line in lines) == {0: 2, 1: 2, 2: 2}


def test_a_second_round_ranks_the_weights_at_the_end_of_the_first(tmp_path: Path, starts: list[dict[str, Any]]) -> None:
    run(tiny("lth", settings={"rounds": "2"}), bench(tmp_path))
    folder = folders(tmp_path, "lth")[0]
    weights = load_file(folder / "round-0.safetensors")
    alive = {n: weights[n] for n in starts[-1]["masks"]}
    assert same(starts[-1]["masks"], largest_globally(alive, LIVE))


def test_the_dense_network_of_a_seed_is_trained_once_and_shared(tmp_path: Path, starts: list[dict[str, Any]]) -> None:
    for name in ("lth", "omp", "dense", "omp_erk"):
        run(tiny(name), bench(tmp_path))
    run(tiny("lth", sparsity=0.5), bench(tmp_path))
    assert len(folders(tmp_path, "dense")) == 1
    assert [bool(start["masks"]) for start in starts] == [False, True, True, True, True]
    run(tiny("lth", seed=1), bench(tmp_path))
    assert len(folders(tmp_path, "dense")) == 2


@pytest.mark.parametrize("model", ["mlp300", "convnet", "tests.dropout_model:network"])
def test_the_small_dense_network_stays_within_the_budget_and_fills_it(model: str, tmp_path: Path) -> None:
    small, large = (
        run(tiny("small_dense", model=model), bench(tmp_path)),
        run(tiny("dense", model=model), bench(tmp_path)),
    )
    budget = round(0.1 * large["weights"])
    assert 0.75 * budget < small["weights"] <= budget
    assert (small["live_weights"], small["sparsity"]) == (small["weights"], 0.0)
    assert small["forward_flops_relative"] == small["forward_flops"] / large["forward_flops"] < 1
    assert small["training_flops_relative"] == pytest.approx(small["forward_flops_relative"])


def rigl_flops() -> float:
    updates = sum(RigL(sparsity=0.9, total_steps=STEPS, every=1, stop=1.0).due(step) for step in range(STEPS))
    return F + (1 - F) * updates / (3 * STEPS)  # the weight gradient of these steps is dense: 2 f_S + f_D


def gmp_flops() -> float:
    method, live, total = GMP(sparsity=0.9, total_steps=STEPS, every=1), WEIGHTS, 0.0
    for step in range(STEPS):
        total += live  # the forward pass comes before the pruning
        if method.due(step):
            live = round((1 - method.target(step)) * WEIGHTS)
    return total / (STEPS * WEIGHTS)


FIRST = round((1 - (1 - 0.1**0.5)) * WEIGHTS) / WEIGHTS  # of two rounds
COSTS = {
    "random": (F, {}),
    "uniform": (F, {}),
    "set": (F, {}),
    "rigl": (rigl_flops(), {}),
    "rigl_inverted": (rigl_flops(), {}),
    "gmp": (gmp_flops(), {}),
    "snip": (F + 1 / STEPS, {}),
    "lth": (1 + F, {}),
    "omp": (1 + F, {}),
    "omp_erk": (1 + F, {}),
    "lth_rounds": (1 + FIRST + F, {"rounds": "2"}),
    "lth_rewind": (1 + F * (STEPS - 2) / STEPS, {"rewind": "2"}),
    "lth_rounds_rewind": (1 + (FIRST + F) * (STEPS - 2) / STEPS, {"rounds": "2", "rewind": "2"}),
}


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step:UserWarning")
@pytest.mark.parametrize("case", COSTS)
def test_training_costs_what_a_hand_computes(case: str, tmp_path: Path) -> None:
    expected, more = COSTS[case]
    name = case if case in RECIPES else "lth"
    result = run(tiny(name, settings=settings(name, **more)), bench(tmp_path))
    assert result["training_flops_relative"] == pytest.approx(expected, rel=1e-9)
    assert result["forward_flops_relative"] == F


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_knows_its_settings_and_says_what_it_is(name: str) -> None:
    recipe = find(name)
    resolved = recipe.resolve(name, {})
    assert not {"sparsity", "total_steps", "where", "seed"} & set(resolved)
    assert len(recipe.about) > 10


@pytest.mark.parametrize("name", RECIPES)
def test_an_unknown_setting_is_refused_with_the_nearest_name(name: str) -> None:
    with pytest.raises((SettingError, UnknownNameError), match="rounded"):
        find(name).resolve(name, {"rounded": "1"})


def test_messages() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown method 'rigll'; did you mean 'rigl'\? known: "):
        find("rigll")
    with pytest.raises(SettingError, match="expected no settings for 'dense', got every; drop --set"):
        find("dense").resolve("dense", {"every": "1"})
    with pytest.raises(UnknownNameError, match="unknown setting of LTH 'round'; did you mean 'rounds'"):
        find("lth").resolve("lth", {"round": "1"})


def test_rewinding_beyond_the_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="expected rewind below the 6 steps of the training, got 6"):
        run(tiny("lth", settings={"rewind": "6"}), bench(tmp_path))
    assert not folders(tmp_path, "dense")  # said before anything was trained


def test_a_published_interval_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.warns(
        UserWarning, match=r"rigl changes its masks only 0 times in 6 steps \(every=100\).*rigl\.every=1"
    ):
        run(spec("rigl", settings={}), bench(tmp_path))


@pytest.mark.parametrize("steps", [6, 30])
def test_the_advice_about_an_interval_ends_the_warning_when_followed(steps: int) -> None:
    method = find("rigl")
    with pytest.warns(UserWarning, match="only 0 times") as told:
        method.begin(_Lab(steps), method.resolve("rigl", {}), 0, None)
    every = str(told[0].message).split("rigl.every=")[1]
    method.begin(_Lab(steps), method.resolve("rigl", {"every": every}), 0, None)


class _Lab:
    """As much of a run as a step-wise recipe asks of it."""

    def __init__(self, steps: int) -> None:
        self.spec, self.total_steps = spec("rigl"), steps

    def fresh(self) -> nn.Module:
        return nn.Linear(2, 2)


def test_a_budget_smaller_than_the_dense_layers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"fc1\.weight.*dense|dense.*fc1\.weight"):
        run(tiny("rigl", settings=settings("rigl", dense="fc1.weight")), bench(tmp_path))


def test_a_redrawn_initialisation_is_for_fresh_networks_only(tmp_path: Path, starts: list[dict[str, Any]]) -> None:
    train = TrainSettings(epochs=1, batch_size=32, lr=1e-9, initial="scaled_per_neuron")
    run(tiny("omp", train=train), bench(tmp_path))
    trained = load_file(folders(tmp_path, "dense")[0] / "model.safetensors")
    final = load_file(folders(tmp_path, "omp")[0] / "model.safetensors")
    mask = starts[-1]["masks"]["fc2.weight"]
    torch.testing.assert_close(final["fc2.weight"], trained["fc2.weight"] * mask)


@pytest.mark.parametrize("initial", ["model", "dense", "scaled_per_neuron"])
def test_a_ticket_goes_back_to_what_the_dense_run_started_from(
    initial: str, tmp_path: Path, starts: list[dict[str, Any]]
) -> None:
    run(tiny("lth", train=replace(TRAIN, initial=initial)), bench(tmp_path))
    dense, ticket = starts
    weights, masks = dense["weights"], ticket["masks"]
    assert masks
    for name, mask in masks.items():
        assert torch.equal(ticket["weights"][name], weights[name] * mask)
    assert (initial == "model") == torch.equal(dense["given"]["fc1.weight"], weights["fc1.weight"])


def test_static_is_told_to_need_masks() -> None:
    with pytest.raises(SettingError, match=r"static takes masks, .* use Sparsifier\(Static\(masks\)"):
        find("static")
