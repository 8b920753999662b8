"""Adversarial runs: the step sees attacked images, the cost counts them, the evaluation is the library's."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from gossamer.analyze import layer_costs
from gossamer.attack import FGSM, P1_TRAIN, PGD, named, robust_accuracy
from gossamer.bench.adversarial import Adversarial
from gossamer.bench.data import Augment, seeded
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.difficulty import Corrupted
from gossamer.bench.harm import training_attack
from gossamer.bench.models import build
from gossamer.bench.optim import factor
from gossamer.bench.prepare import prepare
from gossamer.bench.result import attack_steps
from gossamer.bench.run import run
from gossamer.bench.spec import RunSpec
from gossamer.bench.training import Training
from gossamer.methods import RigL
from tests.reference import training as bare
from tests.workbench import TRAIN, bench, digits, said, spec

PGD2 = Adversarial(train="pgd2:eps=0.2", evaluate="pgd3:eps=0.1")


def network(data: Dataset, model: str = "mlp300", seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(model, num_classes=10, image_size=8, channels=1, normalize=(data.mean, data.std))


def by_hand(model: nn.Module, data: Dataset, attack: Any, method: Any = None) -> nn.Module:
    """The bare loop, with the attack in front of the loss."""
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4)
    labels = iter([data.train_labels[part] for epoch in range(2) for part in bare.batches(96, 32, seed=0, epoch=epoch)])

    def attacked(images: Tensor, step: int) -> Tensor:
        return attack(model, images, next(labels), generator=seeded(0, step, 4))

    bare.train(
        model, data.train_images, data.train_labels, optimizer, LambdaLR(optimizer, lambda n: factor(n, TRAIN, 3)),
        method, epochs=2, batch_size=32, augment=attacked,
    )  # fmt: skip
    return model


METHODS: dict[str, Callable[[], Any]] = {
    "dense": lambda: None, "rigl": lambda: RigL(sparsity=0.9, total_steps=6, every=1, stop=1.0)
}  # fmt: skip


@pytest.mark.parametrize("recipe", METHODS)
@pytest.mark.parametrize(("model", "text"), [("mlp300", "pgd2:eps=0.2"), ("convnet", "fgsm:eps=0.2")])
def test_a_step_learns_the_attacked_images_and_nothing_else(model: str, text: str, recipe: str, tmp_path: Path) -> None:
    each = spec(recipe, model=model, adversarial=Adversarial(train=text, evaluate="fgsm"))
    run(each, bench(tmp_path))
    trained = load_file(tmp_path / each.key / "model.safetensors")
    attack = replace(named(text), batch_norm="train")  # type: ignore[type-var]  # any attack
    expected = by_hand(network(digits(), model), digits(), attack, METHODS[recipe]()).state_dict()
    assert trained.keys() == expected.keys()
    assert all(torch.equal(trained[name], expected[name]) for name in expected)
    plain = replace(each, adversarial=None)
    run(plain, bench(tmp_path))
    other = load_file(tmp_path / plain.key / "model.safetensors")
    assert not all(torch.equal(trained[name], other[name]) for name in other)


@pytest.mark.parametrize(("mode", "passes"), [("eval", 1), ("train", 1), ("train_counted", 1 + 3)])
def test_batch_norm_counts_the_step_alone_unless_the_deviation_is_named(mode: str, passes: int) -> None:
    data = digits()
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))
    seen: list[bool] = []
    model[1].register_forward_hook(lambda module, *_: seen.append(module.training))
    attack = training_attack(spec(adversarial=Adversarial(train=f"pgd3:batch_norm={mode}")))
    training = Training(model, bench(Path("unused"), data).train, TRAIN, None, seed=0, augment=Augment(), attack=attack)
    training.run_epoch(lambda: None, stop=1)
    assert int(model[1].num_batches_tracked) == passes
    assert seen == [mode != "eval"] * 3 + [True]


def test_by_default_the_attack_is_p1s_and_leaves_no_gradient_behind() -> None:
    attack = training_attack(spec(adversarial=Adversarial()))
    assert isinstance(attack, PGD)
    assert replace(attack, step=2 / 255) == P1_TRAIN
    model, data = network(digits()), digits()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    attack(model, data.train_images[:4].float() / 255, data.train_labels[:4], generator=seeded(0))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert training_attack(spec(adversarial=Adversarial(train=None))) is None
    assert training_attack(spec()) is None


def result_of(each: RunSpec, out: Path) -> dict[str, Any]:
    run(each, bench(out))
    return dict(json.loads((out / each.key / "result.json").read_text()))


@pytest.mark.parametrize("images", [None, 25, 1000])
def test_robust_accuracy_is_that_of_the_library_on_the_first_test_images(images: int | None, tmp_path: Path) -> None:
    each = spec("dense", adversarial=replace(PGD2, images=images))
    result, data = result_of(each, tmp_path), digits()
    model = network(data)
    model.load_state_dict(load_file(tmp_path / each.key / "model.safetensors"))
    count = min(images or 40, 40)
    inputs = data.test_images[:count].float() / 255
    told = robust_accuracy(model, inputs, data.test_labels[:count], PGD(eps=0.1, steps=3))
    assert result["robust_accuracy"] == told.robust.value
    assert result["robust_interval"] == [told.robust.low, told.robust.high]
    assert (result["attacked_images"], result["attack"]) == (count, "pgd3:eps=0.1")
    assert result["warnings"] == list(told.warnings)
    assert result["robust_accuracy"] <= result["test_accuracy"] or images == 25


def test_a_run_without_an_attack_says_nothing_of_one(tmp_path: Path) -> None:
    assert not {"robust_accuracy", "warnings", "attack"} & set(result_of(spec("dense"), tmp_path))


def test_signs_of_masking_reach_the_result(tmp_path: Path) -> None:
    short = Adversarial(train="fgsm", evaluate="pgd2:eps=0.5,step=0.001")
    assert "never the border" in " ".join(result_of(spec("dense", adversarial=short), tmp_path)["warnings"])


def test_the_test_set_under_attack_is_the_corrupted_one(tmp_path: Path) -> None:
    each = spec("dense", adversarial=PGD2, corrupted=Corrupted(kinds=("gaussian_noise",), severity=6))
    place = prepare(each, bench(tmp_path)).bench
    result, data = run(each, place), digits()
    model = network(data)
    model.load_state_dict(load_file(tmp_path / each.key / "model.safetensors"))
    told = robust_accuracy(model, place.test.images.float() / 255, data.test_labels, PGD(eps=0.1, steps=3))
    assert result["robust_accuracy"] == told.robust.value
    assert {"clean_accuracy", "test_accuracy"} <= set(result)


@pytest.mark.parametrize(
    ("text", "steps"), [("fgsm", 1), ("pgd2", 2), ("pgd10", 10), ("pgd4:restarts=3", 12), (None, 0)]
)
def test_the_attacks_passes_are_counted(text: str | None, steps: int) -> None:
    assert attack_steps(training_attack(spec(adversarial=Adversarial(train=text)))) == steps
    assert attack_steps(FGSM()) == 1


def test_training_flops_by_hand(tmp_path: Path) -> None:
    """A step: 3 passes, 2 more for each step of the attack; RigL's weight gradient is dense where it grows."""
    data = digits()
    costs = layer_costs(network(data), (1, 8, 8))
    dense = sum(layer.weights * layer.flops_per_weight for layer in costs.values())
    found = {name: result_of(spec(name, adversarial=PGD2), tmp_path) for name in ("dense", "rigl", "random", "lth")}
    assert found["dense"]["training_flops"] == 6 * 32 * (3 + 2 * 2) * dense
    live = {name: round(share * costs[name].weights) for name, share in found["random"]["density"].items()}
    sparse = sum(live[name] * layer.flops_per_weight for name, layer in costs.items())
    assert found["random"]["training_flops"] == 6 * 32 * 7 * sparse
    assert found["lth"]["training_flops"] == pytest.approx(6 * 32 * 7 * (dense + sum(
        round(found["lth"]["density"][name] * layer.weights) * layer.flops_per_weight for name, layer in costs.items()
    )))  # fmt: skip
    assert found["rigl"]["training_flops"] == 32 * (6 * 7 * sparse + 5 * (dense - sparse))  # grows at steps 1 to 5
    relative = {name: result["training_flops_relative"] for name, result in found.items()}
    assert relative["dense"] == 1
    assert relative["random"] == pytest.approx(sparse / dense)


def test_an_attack_costs_seven_thirds_in_the_dense_training_too(tmp_path: Path) -> None:
    plain, hard = (result_of(spec("dense", adversarial=how), tmp_path) for how in (None, PGD2))
    assert hard["training_flops"] * 3 == plain["training_flops"] * 7
    assert plain["training_flops_relative"] == hard["training_flops_relative"] == 1


def test_the_same_run_has_the_same_bytes(tmp_path: Path) -> None:
    each = spec("rigl", model="convnet", adversarial=PGD2)
    for place in ("a", "b"):
        torch.manual_seed(len(place))
        run(each, bench(tmp_path / place))
    assert said(tmp_path / "a" / each.key) == said(tmp_path / "b" / each.key)
