"""GraSP: the weights without which the gradient would be smaller, judged before training."""

from typing import Any

import torch
from torch import Tensor, nn

from gossamer.core.distribution import live_weights
from gossamer.core.errors import SettingError, StateError
from gossamer.core.masks import Masks
from gossamer.core.named import Params, Where, select, shapes
from gossamer.methods.at_init.data import Batch, Data, chunks, first_batches, is_batch, per_class
from gossamer.methods.at_init.scoring import Loss, gradients, isolated, mean_gradients, redraw_, shares, working_copy
from gossamer.methods.at_init.selection import Scores, best, check_finite, check_spoken, warn_of_collapse


def gradient_flow_lost(
    model: nn.Module,
    loss_fn: Loss,
    batch_or_loader: Data,
    *,
    where: Where = None,
    seed: int = 0,
    temperature: float = 200.0,
    samples_per_class: int | None = 10,
    chunk: int = 256,
    reinitialize_linear: bool = False,
) -> Scores:
    """GraSP's importance θ ⊙ Hg: half of what gradient flow gᵀg loses, to first order, when a weight is set to 0.

    The paper's score has the opposite sign, S(-θ) = -θ ⊙ Hg, the change of gradient flow, and removes the largest.
    Here, as everywhere in gossamer, the largest live; a negative importance means that the gradient grows without
    the weight.

    Args:
        model: left as found; its modules run in the modes they have, batch norm and dropout included.
        loss_fn: ``(outputs, targets)`` to the mean loss of a batch.
        batch_or_loader: a pair ``(inputs, targets)``, used as it is, or a loader.
        where: which weights, see ``select``; g and H are those of the selected weights.
        seed: of dropout, of a loader that shuffles by torch's global generator, and of ``reinitialize_linear``.
        temperature: the outputs are divided by it.
        samples_per_class: of a loader, so many samples of each class; None takes its first batch instead.
        chunk: samples in memory at a time, of those taken per class.
        reinitialize_linear: redraw the linear layers of the copy first, see ``grasp``.

    Returns:
        Scores by name, float64, of either sign.

    Raises:
        SettingError: the temperature is not above 0.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.fill_(3.0)
        >>> batch = torch.tensor([[2.0]]), torch.zeros(1, 1)
        >>> mse = lambda outputs, targets: (outputs - targets).square().mean()  # (2 w)²: g = 8 w = 24, H = 8
        >>> gradient_flow_lost(model, mse, batch, temperature=1.0)
        {'weight': tensor([[576.]], dtype=torch.float64)}
    """
    if not temperature > 0:
        raise SettingError(f"expected temperature > 0, got {temperature}; the paper has 200, and 1 is none")
    network, weights = working_copy(model, where)
    if reinitialize_linear:
        redraw_(network, seed, layers=(nn.Linear,))
    with isolated(model, seed):
        batches = _batches(network, batch_or_loader, samples_per_class, chunk, next(iter(weights.values())).device)
    product = _hessian_gradient_product(network, _cooled(loss_fn, temperature), batches, weights, seed)
    scores = {name: product[name].double() * weight.detach().double() for name, weight in weights.items()}
    check_finite(scores)
    check_spoken(scores)
    return scores


def grasp(
    model: nn.Module,
    loss_fn: Loss,
    batch_or_loader: Data,
    sparsity: float,
    *,
    where: Where = None,
    seed: int = 0,
    temperature: float = 200.0,
    samples_per_class: int | None = 10,
    chunk: int = 256,
    floor: int = 0,
    reinitialize_linear: bool = False,
) -> Masks:
    """GraSP (Wang et al. 2020, arXiv:2002.07376): the weights live whose removal would lower gradient flow gᵀg most.

    With H the Hessian of the loss, the weights of largest θ ⊙ Hg live (in the paper's sign: those of largest -θ ⊙ Hg
    go), all layers compared with one another.  The model, its gradients, buffers and modes, and torch's random state
    stay as they are.

    Args:
        model: at its initialisation; its modules run in the modes they have.
        loss_fn: ``(outputs, targets)`` to the mean loss of a batch.
        batch_or_loader: a loader of pairs ``(inputs, labels)``, or one pair, which is used as it is.
        sparsity: share of zeros over the selected weights, in [0, 1).
        where: which weights, see ``select``.
        seed: chooses among equal scores; see also ``gradient_flow_lost``.
        temperature: the outputs are divided by it; 200 in the authors' code.
        samples_per_class: of a loader, so many samples of each class, as far as it has them; 10 in the authors' CIFAR
            configurations.  None takes the first batch instead, for targets that are no classes.
        chunk: samples in memory at a time, of those taken per class: the second derivative keeps two graphs.
        floor: weights of each layer that live whatever their scores; 0 in the paper.
        reinitialize_linear: score a copy whose linear layers have new weights, normal with Glorot's variance, as the
            authors' code does by default.

    Returns:
        Masks with exactly round((1 - sparsity)·N) live weights, for ``Sparsifier(Static(masks), ..., where=masks)``.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> batch = torch.randn(30, 8), torch.arange(30) % 3
        >>> masks = grasp(model, nn.functional.cross_entropy, batch, sparsity=0.75)
        >>> sum(int(mask.sum()) for mask in masks.values())
        44
    """
    count = live_weights(shapes(select(model, where)), sparsity)
    scores = gradient_flow_lost(
        model,
        loss_fn,
        batch_or_loader,
        where=where,
        seed=seed,
        temperature=temperature,
        samples_per_class=samples_per_class,
        chunk=chunk,
        reinitialize_linear=reinitialize_linear,
    )
    return warn_of_collapse(best(scores, count, torch.Generator().manual_seed(seed), floor))


def _batches(
    network: nn.Module, data: Data, samples_per_class: int | None, chunk: int, device: torch.device
) -> list[Batch]:
    if samples_per_class is None or is_batch(data):
        return first_batches(data, 1, device)
    return chunks(per_class(data, samples_per_class, _classes(network, data, device), device), chunk)


def _classes(network: nn.Module, data: Data, device: torch.device) -> int:
    """The number of classes, from the outputs for a loader's first batch."""
    inputs, _ = first_batches(data, 1, device)[0]
    with torch.no_grad():
        outputs = network(inputs)
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        got = tuple(outputs.shape) if isinstance(outputs, Tensor) else type(outputs).__name__
        raise StateError(f"expected outputs (N, classes), got {got}; pass samples_per_class=None or a batch")
    return outputs.shape[1]


def _cooled(loss_fn: Loss, temperature: float) -> Loss:
    """The loss of outputs divided by the temperature."""

    def loss(outputs: Any, targets: Any) -> Tensor:
        if not isinstance(outputs, Tensor):
            raise StateError(
                f"expected outputs that GraSP can divide by its temperature, got {type(outputs).__name__}; "
                "wrap the model so that it returns its logits"
            )
        return loss_fn(outputs / temperature, targets)

    return loss


def _hessian_gradient_product(
    network: nn.Module, loss_fn: Loss, batches: list[Batch], weights: Params, seed: int
) -> dict[str, Tensor]:
    """Hg over all batches as the derivative of gᵀ∇L with g held fixed: one pass for g, one for the product."""
    with isolated(network, seed):
        fixed = mean_gradients(network, loss_fn, batches, weights)
    product = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    with isolated(network, seed), torch.enable_grad():  # the same dropout as in the first pass
        for batch, share in zip(batches, shares(batches), strict=True):
            moving = gradients(network, loss_fn, batch, weights, create_graph=True)
            flow = torch.stack([(fixed[name] * moving[name]).sum() for name in weights]).sum()
            for name, part in zip(weights, _derivative(flow, list(weights.values())), strict=True):
                product[name] += share * part
    return product


def _derivative(flow: Tensor, weights: list[nn.Parameter]) -> tuple[Tensor, ...]:
    if not flow.requires_grad:
        raise StateError(
            "expected a loss with curvature, got one whose gradient does not depend on the weights; "
            "GraSP needs a second derivative: use cross-entropy, or snip"
        )
    return torch.autograd.grad(flow, weights, materialize_grads=True)
