"""How a network is trained: one frozen dataclass, and the recipes of the papers as presets by model."""

from dataclasses import dataclass
from typing import Literal, get_args

from gossamer.core.errors import SettingError
from gossamer.core.method import check_share

Optimizer = Literal["sgd", "adamw"]
Schedule = Literal["multistep", "cosine", "constant"]
Precision = Literal["fp32", "bf16"]
Decay = Literal["all", "weights"]
Initial = Literal["model", "dense", "scaled_per_layer", "scaled_per_neuron"]
Fan = Literal["in", "out", "average"]
Law = Literal["normal", "uniform"]


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """The settings of a training, P1's CIFAR recipe by default (arXiv:2409.09196, A.2).

    Args:
        epochs: passes over the training set.
        batch_size: images a step.
        optimizer: ``"sgd"`` or ``"adamw"``.
        lr: learning rate at its highest.
        momentum: of SGD.
        nesterov: of SGD (P1's code).
        weight_decay: λ of λ/2·|w|², as torch counts it.
        decay: what decays: ``"all"`` parameters (P1's code) or ``"weights"``, neither biases nor norms (P3).
        schedule: ``"multistep"``, ``"cosine"`` to 0, or ``"constant"``, per step.
        milestones: shares of the training at which multistep multiplies by ``gamma``.
        gamma: factor of multistep.
        warmup_epochs: linear rise from 0 at the start.
        label_smoothing: of the training loss, in [0, 1].
        clip_norm: largest gradient norm, of the sparse gradient; None for no clipping.
        augment: as the data set's preset has it, or not at all.
        precision: ``"fp32"``, or ``"bf16"`` by autocast.
        channels_last: memory layout of images and kernels.
        compile: run the network through ``torch.compile``.
        normalize: the network's first layer normalises images by the data set's mean and deviation; without it the
            network sees them in [0, 1] (P3's MNIST).
        growth_images: methods that grow by the gradient look at that of so many fixed training images (P3's code:
            1000); None is the batch's.
        initial: weights as the model draws them, or redrawn under the masks (P3), see ``gossamer.initialize``.
        initial_scale: variance times fan of a redraw; 2 is He, 1 with average fan is Glorot.
        initial_fan: fan of a redraw.
        initial_law: law of a redraw.

    Raises:
        SettingError: a value outside its range.

    Example:
        >>> TrainSettings(epochs=10).lr
        0.1
    """

    epochs: int = 200
    batch_size: int = 128
    optimizer: Optimizer = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    decay: Decay = "all"
    schedule: Schedule = "multistep"
    milestones: tuple[float, ...] = (0.5, 0.75)
    gamma: float = 0.1
    warmup_epochs: float = 0.0
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    augment: bool = True
    precision: Precision = "fp32"
    channels_last: bool = False
    compile: bool = False
    normalize: bool = True
    growth_images: int | None = None
    initial: Initial = "model"
    initial_scale: float = 2.0
    initial_fan: Fan = "in"
    initial_law: Law = "normal"

    def __post_init__(self) -> None:
        """Refuse settings outside their ranges."""
        choices = {"optimizer": Optimizer, "schedule": Schedule, "precision": Precision, "decay": Decay}
        choices |= {"initial": Initial, "initial_fan": Fan, "initial_law": Law}
        for name, choice in choices.items():
            if getattr(self, name) not in get_args(choice):
                raise SettingError(f"expected {name} to be one of {get_args(choice)}, got {getattr(self, name)!r}")
        for name, least in {"epochs": 1, "batch_size": 1, "weight_decay": 0.0, "warmup_epochs": 0.0}.items():
            if not least <= getattr(self, name) < float("inf"):
                raise SettingError(f"expected {name} ≥ {least}, got {getattr(self, name)}; raise it")
        for name in ("lr", "gamma", "initial_scale", "clip_norm", "growth_images"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise SettingError(f"expected {name} > 0, got {value}")
        for name in ("label_smoothing", "momentum"):
            check_share(name, getattr(self, name))
        for share in self.milestones:
            check_share("milestones", share)
        if self.nesterov and self.optimizer == "sgd" and self.momentum == 0:
            raise SettingError("expected momentum > 0 with nesterov, got 0; pass nesterov=False")


_P1 = TrainSettings()
_CONVNET = TrainSettings(epochs=10, schedule="cosine")
# P3's released MNIST settings; its Keras decay λ·|w|² on kernels is twice torch's λ/2·|w|²
_LENET5 = TrainSettings(
    epochs=25, lr=0.05, nesterov=False, weight_decay=1e-3, decay="weights", schedule="cosine", augment=False
)
_MLP300 = TrainSettings(
    epochs=25, lr=0.2, nesterov=False, weight_decay=2e-4, decay="weights", schedule="cosine", augment=False
)

PRESETS: dict[str, TrainSettings] = {
    "lenet5": _LENET5,
    "mlp300": _MLP300,
    "convnet": _CONVNET,
    "resnet18": _P1,
    "resnet34": _P1,
    "vgg16": _P1,
    "vgg19": _P1,
}


def preset(model: str) -> TrainSettings:
    """The settings a model is trained with unless told otherwise; a user's own network gets P1's.

    Args:
        model: a name, or ``package.module:factory``.

    Returns:
        The settings.

    Example:
        >>> preset("lenet5").lr, preset("mine:net").lr
        (0.05, 0.1)
    """
    return PRESETS.get(model, _P1)
