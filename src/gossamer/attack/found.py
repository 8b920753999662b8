"""Leave a model as found: what an attack may do to it, and what it puts back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from gossamer.core.errors import UnknownNameError

BatchNorm = Literal["eval", "train", "train_counted"]


@contextmanager
def as_found(model: nn.Module, batch_norm: BatchNorm = "eval") -> Iterator[None]:
    """Inside, the model is in the mode that an attack wants; afterwards it is as it was, also after an exception.

    Put back: ``training`` of every module (a frozen batch-norm layer stays in evaluation mode), every buffer, and
    torch's global random state (dropout draws from it). Nothing here fills ``param.grad``. Gradients are off inside;
    ``input_gradient`` turns them on for itself.

    Args:
        model: any network.
        batch_norm: ``"eval"``: the whole model in evaluation mode. ``"train"``: in training mode, as the code of
            arXiv:2409.09196 attacks during adversarial training; buffers are put back. A model that is training keeps
            the mode of each module, so frozen layers stay frozen. ``"train_counted"``: the same, but running
            statistics count the attack's forward passes, as in that code: a deviation, for reproducing it.

    Yields:
        Nothing.

    Raises:
        UnknownNameError: on another mode.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(3))
        >>> with as_found(model, "train"):
        ...     _ = model(torch.rand(8, 3, 1, 1))
        >>> model[1].num_batches_tracked
        tensor(0)
    """
    check_batch_norm(batch_norm)
    with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(devices=_cuda_devices(model)):
        modes = [(module, module.training) for module in model.modules()]
        buffers = [] if batch_norm == "train_counted" else _lend_buffers(model)
        try:
            if batch_norm == "eval":
                model.eval()
            elif not model.training:
                model.train()
            yield
        finally:
            for module, name, buffer in buffers:
                module._buffers[name] = buffer
            for module, mode in modes:
                module.training = mode


def check_batch_norm(batch_norm: str) -> None:
    """Check the name of a mode.

    Args:
        batch_norm: see ``as_found``.

    Raises:
        UnknownNameError: there is no such mode.
    """
    if batch_norm not in get_args(BatchNorm):
        raise UnknownNameError("batch-norm mode", batch_norm, get_args(BatchNorm))


def _lend_buffers(model: nn.Module) -> list[tuple[nn.Module, str, Tensor]]:
    """Put copies in the place of all buffers, and return the originals.

    Copying values back instead would count as a change of the originals: a graph that the caller has not yet run
    backward through would be refused.

    Returns:
        Module, name and original of each buffer.
    """
    places = [
        (module, name, buffer)
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    copies = {id(buffer): buffer.clone() for _, _, buffer in places}  # a buffer of two modules stays one
    for module, name, buffer in places:
        module._buffers[name] = copies[id(buffer)]
    return places


def _cuda_devices(model: nn.Module) -> list[int]:
    """The graphics cards that hold a part of the model."""
    tensors = [*model.parameters(), *model.buffers()]
    return sorted({tensor.device.index for tensor in tensors if tensor.device.type == "cuda"})
