"""What a run has to say for itself: accuracy, exact counts and costs."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from gossamer.analyze.flops import layer_costs
from gossamer.analyze.training_flops import Segment, training_flops
from gossamer.bench.spec import RunSpec
from gossamer.bench.training import Training
from gossamer.core import masks as mask_ops
from gossamer.core.named import select


def summarize(
    spec: RunSpec,
    training: Training,
    dense: nn.Module,
    test: Mapping[str, float],
    segments: list[Segment],
    inherited: float = 0.0,
) -> dict[str, Any]:
    """The result of a run; no times, so that equal runs have equal results.

    Args:
        spec: what was run.
        training: the last round, at its end.
        dense: the dense network of that name, for the costs to be relative to.
        test: accuracy and loss.
        segments: all training paid for, earlier rounds and dense phases included.
        inherited: FLOPs of the run that masks were taken from, paid for as well.

    Returns:
        Plain numbers by name; FLOPs by the conventions of RigL (2 per multiplication and addition, a step costs 3
        forward passes and two for each step of an attack, mask updates are ignored).
    """
    shape = tuple(training.samples.images.shape[1:])
    costs, full = layer_costs(training.model, shape), layer_costs(dense, shape)
    masks = {} if training.sparsifier is None else training.sparsifier.masks
    live = {name: int(mask.sum()) for name, mask in masks.items()}
    paid = _counted(segments, costs)
    batch = min(spec.train.batch_size, len(training.samples))
    attack = attack_steps(training.attack)
    cost = training_flops(paid, costs, batch_size=batch, dense_steps=training.total_steps, attack_steps=attack)
    step = training_flops([Segment(steps=1)], full, batch_size=batch, dense_steps=1, attack_steps=attack).total
    reference = step * training.total_steps
    weights = sum(weight.numel() for weight in select(training.model).values())
    parameters = sum(p.numel() for p in training.model.parameters())
    dead = mask_ops.size(masks) - sum(live.values())
    forward = sum(live.get(name, layer.weights) * layer.flops_per_weight for name, layer in costs.items())
    forward_dense = sum(layer.weights * layer.flops_per_weight for layer in full.values())
    return {
        "recipe": spec.recipe,
        "seed": spec.seed,
        "asked_sparsity": spec.sparsity,
        "test_accuracy": test["accuracy"],
        "test_loss": test["loss"],
        "sparsity": dead / weights,
        "live_weights": weights - dead,
        "weights": weights,
        "live_parameters": parameters - dead,
        "parameters": parameters,
        "density": {name: count / masks[name].numel() for name, count in live.items()},
        "forward_flops": forward,
        "forward_flops_relative": forward / forward_dense,
        "training_flops": cost.total + inherited,
        "training_flops_relative": (cost.total + inherited) / reference,
        "train_images": len(training.samples),
        "steps": training.total_steps,
    }


def _counted(segments: list[Segment], costs: Mapping[str, Any]) -> list[Segment]:
    """Segments without the weights of a user's own modules, which have no known cost."""
    return [
        Segment(
            steps=part.steps,
            live=None if part.live is None else {name: n for name, n in part.live.items() if name in costs},
            dense_gradient_steps=part.dense_gradient_steps,
        )
        for part in segments
    ]


def attack_steps(attack: Any) -> int:
    """How many forward and backward passes an attack makes on a batch; 0 without one."""
    return 0 if attack is None else getattr(attack, "steps", 1) * getattr(attack, "restarts", 1)
