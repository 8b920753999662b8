"""What a trained network answers where it is hard: under attack, and without the corruption it was trained on."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from gossamer.attack import robust_accuracy
from gossamer.bench import adversarial
from gossamer.bench.evaluate import evaluate
from gossamer.bench.place import Bench
from gossamer.bench.samples import Samples, as_input
from gossamer.bench.spec import RunSpec


def training_attack(spec: RunSpec) -> Callable[..., Tensor] | None:
    """The attack on each training batch, None if there is none."""
    how = spec.adversarial
    return None if how is None or how.train is None else adversarial.training_attack(how.train)


def hard_accuracies(model: nn.Module, spec: RunSpec, bench: Bench) -> dict[str, Any]:
    """The accuracies of a run besides that on its own test set.

    Args:
        model: the trained network.
        spec: what was run.
        bench: where.

    Returns:
        ``clean_accuracy`` where the test set is corrupted; ``robust_accuracy``, its 95 % interval over test images,
        and what may be wrong with it, where there is an attack.
    """
    found: dict[str, Any] = {}
    if bench.clean_test is not None:
        found["clean_accuracy"] = evaluate(model, bench.clean_test, spec.train)["accuracy"]
    if spec.adversarial is not None:
        found |= attacked(model, bench.test, spec, spec.adversarial.tested, spec.adversarial.images)
    return found


def attacked(model: nn.Module, test: Samples, spec: RunSpec, attack: str, images: int | None = None) -> dict[str, Any]:
    """Accuracy under an attack.

    Args:
        model: the network.
        test: the test set.
        spec: the run, for the layout of images.
        attack: in words.
        images: how many test images, the first ones; None is all.

    Returns:
        Plain numbers and sentences by name.
    """
    count = len(test) if images is None else min(images, len(test))
    inputs = as_input(test.images[:count], spec.train)
    told = robust_accuracy(model, inputs, test.labels[:count], adversarial.evaluation_attack(attack))
    return {
        "robust_accuracy": told.robust.value,
        "robust_interval": [told.robust.low, told.robust.high],
        "attacked_images": count,
        "attack": attack,
        "warnings": list(told.warnings),
    }
