"""Which weights may be zero: ``select(model)`` names them."""

from collections.abc import Callable, Collection, Iterator

from torch import nn

from gossamer.core.errors import SettingError, UnknownNameError

Params = dict[str, nn.Parameter]
Where = Callable[[str, nn.Parameter], bool] | Collection[str] | None

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def select(model: nn.Module, where: Where = None) -> Params:
    """The weights of a model that may be zero, by parameter name.

    By default every convolution and linear weight, the first layer and the classifier included, as in the three
    papers (P1: all but biases and batch norm).  A tied tensor is listed once, under its first name.  Depthwise
    convolutions stay dense: each of their filters has one input channel, and the RigL authors (arXiv:1911.11134,
    appendix on MobileNet) keep them dense for that reason.

    Args:
        model: any module; wrappers of ``torch.compile`` and of (distributed) data parallelism are looked through,
            so that names do not depend on them.
        where: a predicate ``(name, parameter) -> bool`` narrows the default; a collection of parameter names
            replaces it, and may name any parameter of the model, also one of a module of your own.

    Returns:
        A dictionary from name to parameter, in the order of ``model.named_parameters()``.

    Raises:
        UnknownNameError: ``where`` names a parameter that the model does not have.
        SettingError: nothing is left to be made sparse.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten(), nn.Linear(4, 2))
        >>> list(select(model))
        ['0.weight', '3.weight']
        >>> list(select(model, where=lambda name, weight: weight.ndim == 4))
        ['0.weight']
        >>> list(select(model, where=["1.weight"]))
        ['1.weight']
    """
    model = unwrap(model)
    named = dict(model.named_parameters())
    if where is None or callable(where):
        chosen = {id(weight) for weight in _maskable(model)}
        params = {name: p for name, p in named.items() if id(p) in chosen and (where is None or where(name, p))}
    else:
        params = _by_names(model, named, where)
    if not params:
        raise SettingError(
            "expected at least one convolution or linear weight to make sparse, got none; "
            "widen `where`, or name the parameters: where=['module.weight']"
        )
    return params


def unwrap(model: nn.Module) -> nn.Module:
    """The module inside the wrappers of ``torch.compile`` and of data parallelism."""
    parallel = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod  # type: ignore[assignment]  # the wrapper keeps its module under this name
        elif isinstance(model, parallel):
            model = model.module
        else:
            return model


def is_depthwise(module: nn.Module) -> bool:
    """Whether a module is a convolution whose every filter sees a single input channel of several.

    Returns:
        True for such a convolution; a convolution on a one-channel image is not one.

    Example:
        >>> is_depthwise(nn.Conv2d(8, 8, 3, groups=8)), is_depthwise(nn.Conv2d(1, 8, 3))
        (True, False)
    """
    return isinstance(module, CONVOLUTIONS) and 1 < module.groups == module.in_channels


def shapes(params: Params) -> dict[str, tuple[int, ...]]:
    """The shape of each selected weight.

    Returns:
        The shapes by name.

    Example:
        >>> shapes(select(nn.Linear(3, 2)))
        {'weight': (2, 3)}
    """
    return {name: tuple(weight.shape) for name, weight in params.items()}


def _maskable(model: nn.Module) -> Iterator[nn.Parameter]:
    for module in model.modules():
        if isinstance(module, nn.MultiheadAttention):  # its projections are bare parameters, not linear modules
            inputs = (module.in_proj_weight, module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
            yield from (weight for weight in inputs if isinstance(weight, nn.Parameter))
        if isinstance(module, (*CONVOLUTIONS, nn.Linear)) and not is_depthwise(module):
            yield module.weight  # type: ignore[misc]  # typed as Tensor in torch, always a Parameter here


def _by_names(model: nn.Module, named: Params, where: Collection[str]) -> Params:
    if isinstance(where, str):
        raise SettingError(f"where expects a collection of parameter names, got the string {where!r}; pass [{where!r}]")
    aliases = dict(model.named_parameters(remove_duplicate=False))
    for name in where:
        if name not in aliases:
            raise UnknownNameError("parameter", name, aliases)
    chosen = {id(aliases[name]) for name in where}
    return {name: p for name, p in named.items() if id(p) in chosen}
