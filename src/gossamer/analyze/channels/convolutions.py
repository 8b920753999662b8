"""The two-dimensional convolutions of a network, found by name or by place."""

from torch import nn

from gossamer.core.errors import SettingError, UnknownNameError
from gossamer.core.named import unwrap


def convolutions(model: nn.Module) -> dict[str, nn.Conv2d]:
    """All of them by name, in the order in which the model's modules are listed.

    Args:
        model: wrappers such as ``DataParallel`` are looked through.

    Returns:
        Modules by name; ``""`` is the name of a model that is one itself.

    Raises:
        SettingError: there is none.

    Example:
        >>> list(convolutions(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))))
        ['0', '2']
    """
    found = {name: module for name, module in unwrap(model).named_modules() if isinstance(module, nn.Conv2d)}
    if not found:
        raise SettingError(
            "expected a model with a two-dimensional convolution, got none; its layers have no plane to look at"
        )
    return found


def named_module(model: nn.Module, name: str) -> nn.Module:
    """A part of a model.

    Args:
        model: wrappers such as ``DataParallel`` are looked through.
        name: as in ``model.named_modules()``.

    Returns:
        The module.

    Raises:
        UnknownNameError: there is no such part.

    Example:
        >>> named_module(nn.Sequential(nn.Conv2d(1, 4, 3)), "0")
        Conv2d(1, 4, kernel_size=(3, 3), stride=(1, 1))
    """
    modules: dict[str, nn.Module] = dict(unwrap(model).named_modules())
    if name not in modules:
        raise UnknownNameError("layer", name, modules)
    return modules[name]
