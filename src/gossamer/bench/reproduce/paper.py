"""What P3 reports of its MNIST experiments, to stand beside what we measure.

The first table is that of the authors' blog post; curves were read off the vector figures of the paper (Evci et al.
2022, arXiv:2010.03533), to about 1 %.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reported:
    """One number of the paper.

    Args:
        variant: whose, by its name in ``VARIANTS``.
        quantity: what, as ``measure`` names it.
        value: the number; accuracies and disagreements in [0, 1].
        deviation: its standard deviation; None where the paper gives none.
    """

    variant: str
    quantity: str
    value: float
    deviation: float | None = None


def _agreement() -> list[Reported]:
    """Accuracy, ensemble of five, disagreement among five and with the pruned network (LeNet5, 95 %)."""
    table = {
        "lottery": ((0.9852, 0.0002), 0.9858, (0.0043, 0.0006), (0.0089, 0.0002)),
        "scratch_one": ((0.9704, 0.0015), 0.9800, (0.0316, 0.0023), (0.0278, 0.0020)),
        "scratch": ((0.9719, 0.0033), 0.9843, (0.0352, 0.0037), (0.0278, 0.0032)),
        "restart": ((0.9860, 0.0001), 0.9863, (0.0027, 0.0003), (0.0077, 0.0003)),
        "pruned": ((0.9830, 0.0023), 0.9907, (0.0214, 0.0023), (0.0197, 0.0019)),
    }
    found = []
    for name, (accuracy, ensemble, among, with_pruned) in table.items():
        found += [
            Reported(name, "accuracy", *accuracy),
            Reported(name, "ensemble", ensemble),
            Reported(name, "disagreement", *among),
            Reported(name, "disagreement_pruned", *with_pruned),
        ]
    return found


NORM_STEPS = (100, 200, 400, 700, 1000, 2000, 4000, 7000, 11_700)


def _norms() -> list[Reported]:
    """Figure 2: the gradient norm of LeNet5 along the training."""
    curves = {
        "lottery": (0.031, 0.085, 0.45, 0.41, 0.25, 0.28, 0.22, 0.18, 0.17),
        "scratch": (0.047, 0.033, 0.030, 0.036, 0.51, 0.26, 0.19, 0.25, 0.16),
        "small_dense": (1.09, 1.09, 0.87, 0.55, 0.54, 0.50, 0.40, 0.39, 0.26),
    }
    return [
        Reported(name, f"norm@{step}", value)
        for name, values in curves.items()
        for step, value in zip(NORM_STEPS, values, strict=True)
    ]


def _paths() -> list[Reported]:
    """Figure 5: the training loss on the straight line to the pruned network, whose own is 0.042."""
    lines = {
        "lottery_start": {0.0: 2.302, 0.5: 1.515, 0.8: 0.135},
        "lottery_end": {0.0: 0.031, 1.0: 0.042},
        "scratch_start": {0.0: 2.303, 0.5: 1.898, 0.8: 0.205},
        "scratch_end": {0.0: 0.084, 0.5: 1.848, 0.8: 0.246},
    }
    found = [Reported(name, f"loss@{at:g}", value) for name, line in lines.items() for at, value in line.items()]
    return [*found, Reported("lottery_end", "loss_highest", 0.043)]


def _signal() -> list[Reported]:
    """Figure 1: the standard deviation of LeNet5's outputs before the softmax, at initialisation."""
    curves = {
        "dense": {0.0: 0.147, 0.28: 0.079, 0.49: 0.036, 0.77: 0.0062, 0.91: 4.2e-4, 0.98: 4.6e-6},
        "scaled_per_layer": {0.0: 0.234, 0.28: 1.97, 0.49: 1.28, 0.77: 1.28, 0.91: 1.50, 0.98: 0.0097},
    }
    return [Reported(name, f"signal@{at:g}", value) for name, line in curves.items() for at, value in line.items()]


REPORTED: dict[str, list[Reported]] = {
    "p3-lenet5": [*_agreement(), *_norms(), *_paths(), *_signal()],
    "p3-mlp": [],  # the paper gives no number of the MLP that we know of
}
