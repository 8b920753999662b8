"""A model asked in evaluation mode, and left in the modes it had."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; every module's own mode as before outside, also after an error.

    Args:
        model: the network.

    Example:
        >>> model = nn.Sequential(nn.Dropout(), nn.Linear(1, 1).eval())
        >>> with evaluating(model):
        ...     print([module.training for module in model.modules()])
        [False, False, False]
        >>> [module.training for module in model.modules()]
        [True, True, False]
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
