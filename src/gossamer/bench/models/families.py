"""The table of networks, and the user's own."""

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

from gossamer.bench.models.convnet import ConvNet
from gossamer.bench.models.lenet import LeNet5
from gossamer.bench.models.mlp import MLP300
from gossamer.bench.models.resnet import resnet18, resnet34
from gossamer.bench.models.vgg import VGG16, VGG19
from gossamer.core.errors import SettingError, UnknownNameError


@dataclass(frozen=True)
class Family:
    """A row of the table of networks.

    Attributes:
        factory: builds the network from the keywords num_classes, image_size, channels and width.
        description: one line.
        image_size: side of the images it is usually trained on.
        channels: their channels.
        num_classes: their classes.
    """

    factory: Callable[..., Any]
    description: str
    image_size: int
    channels: int
    num_classes: int


MODELS: dict[str, Family] = {
    "lenet5": Family(LeNet5, "2 convolutions, 3 linear layers, no batch norm (Evci et al. 2022)", 28, 1, 10),
    "mlp300": Family(MLP300, "fully connected 784-300-100-10 (Evci et al. 2022)", 28, 1, 10),
    "convnet": Family(ConvNet, "4 convolutions with batch norm, small enough for a CPU", 28, 1, 10),
    "resnet18": Family(resnet18, "ResNet18 for small images (Xiao et al. 2024)", 32, 3, 100),
    "resnet34": Family(resnet34, "ResNet34 for small images (Xiao et al. 2024, TinyImageNet)", 64, 3, 200),
    "vgg16": Family(VGG16, "VGG-D with batch norm and 3 linear layers (Lee et al. 2019)", 32, 3, 10),
    "vgg19": Family(VGG19, "VGG19 with batch norm and 1 linear layer (Xiao et al. 2024)", 32, 3, 100),
}


def factory_of(name: str) -> Callable[..., Any]:
    """Find what builds a network.

    Args:
        name: a name of :data:`MODELS`, or ``package.module:factory`` of the user's.

    Returns:
        A callable that takes at least the keywords num_classes, image_size and channels.

    Raises:
        UnknownNameError: no such name in the table.
        SettingError: no such module, or no such callable in it.
    """
    if ":" in name:
        return _users_factory(name)
    if name not in MODELS:
        raise UnknownNameError("model", name, [*MODELS, "package.module:factory"])
    return MODELS[name].factory


def source_of(name: str) -> str:
    """A hash of the file that defines a network of the user's, so that a changed one is known for another.

    Args:
        name: as in :func:`factory_of`.

    Returns:
        SHA-256 of the module's file; empty for the networks of :data:`MODELS`, which change with the version.

    Example:
        >>> source_of("lenet5")
        ''
    """
    if ":" not in name:
        return ""
    factory_of(name)
    file = _users_module(name, name.partition(":")[0]).__file__
    return "" if file is None else sha256(Path(file).read_bytes()).hexdigest()


def check_keywords(name: str, factory: Callable[..., Any], keywords: dict[str, Any]) -> None:
    """Refuse settings that a network does not have, before anything is built.

    Args:
        name: the network's name, for the message.
        factory: what builds it.
        keywords: what it is about to be called with.

    Raises:
        SettingError: the factory cannot be called with these keywords.
    """
    try:
        signature = inspect.signature(factory)
    except ValueError:  # a few builtins have none; then the call itself must tell
        return
    try:
        signature.bind(**keywords)
    except TypeError as error:
        raise SettingError(
            f"model {name!r} cannot be built from {', '.join(keywords)}: {error}; it takes {signature}"
        ) from error


def _users_factory(name: str) -> Callable[..., Any]:
    module_name, _, attribute = name.partition(":")
    factory: object = getattr(_users_module(name, module_name), attribute, None)
    if factory is None:
        raise SettingError(
            f"model {name!r}: module {module_name!r} has no {attribute!r}; name a class or function in it"
        )
    if not callable(factory):
        kind = type(factory).__name__
        raise SettingError(
            f"model {name!r}: {attribute!r} is of type {kind}; name a class or function that builds the network"
        )
    return factory


def _users_module(name: str, module_name: str) -> ModuleType:
    if all(part.isidentifier() for part in module_name.split(".")):
        try:
            return importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            # Only the user's module missing is a wrong name; one that it imports itself is their own traceback.
            if error.name != module_name and not module_name.startswith(f"{error.name}."):
                raise
    raise SettingError(
        f"model {name!r}: there is no module {module_name!r}; "
        "write package.module:factory, with the folder that holds the package on PYTHONPATH"
    )
