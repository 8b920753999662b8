"""SNIP: the weights whose removal would change the loss most, judged before training."""

import torch
from torch import nn
from torch.nn.functional import nll_loss

from gossamer.core.distribution import live_weights
from gossamer.core.masks import Masks, density
from gossamer.core.named import Where, select, shapes
from gossamer.core.rewire import scatter
from gossamer.methods.at_init.data import Data, first_batches
from gossamer.methods.at_init.scoring import Loss, isolated, mean_gradients, redraw_, working_copy
from gossamer.methods.at_init.selection import Scores, best, check_finite, check_spoken, warn_of_collapse


def connection_sensitivity(
    model: nn.Module,
    loss_fn: Loss,
    batch_or_loader: Data,
    *,
    where: Where = None,
    seed: int = 0,
    batches: int = 1,
    reinitialize: bool = False,
) -> Scores:
    """SNIP's score: s_j = |g_j| / Σ|g|, g_j = ∂L/∂c_j at c = 1, where weight j enters the network as c_j w_j.

    By the chain rule g_j = w_j ∂L/∂w_j.

    Args:
        model: left as found; its modules run in the modes they have, batch norm and dropout included.
        loss_fn: ``(outputs, targets)`` to the mean loss of a batch.
        batch_or_loader: a pair ``(inputs, targets)`` or an iterable of such pairs, whose first is used.
        where: which weights, see ``select``.
        seed: of dropout, of a loader that shuffles by torch's global generator, and of ``reinitialize``.
        batches: so many batches of the loader; their gradients are averaged before the magnitude is taken.
        reinitialize: redraw the copy's weights first, see ``snip_released``.

    Returns:
        Scores by name, float64, ≥ 0, of sum 1 over the network.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.copy_(torch.tensor([[1.0, -3.0]]))
        >>> batch = torch.tensor([[2.0, 2.0]]), torch.zeros(1, 1)
        >>> connection_sensitivity(model, lambda outputs, targets: outputs.sum(), batch)
        {'weight': tensor([[0.2500, 0.7500]], dtype=torch.float64)}
    """
    with isolated(model, seed):
        network, weights = working_copy(model, where)
        if reinitialize:
            redraw_(network, seed)
        device = next(iter(weights.values())).device
        grads = mean_gradients(network, loss_fn, first_batches(batch_or_loader, batches, device), weights)
    # in float64, where the product of a small gradient and a small weight does not vanish
    scores = {name: (grads[name].double() * weight.detach().double()).abs() for name, weight in weights.items()}
    check_finite(scores)
    check_spoken(scores)
    total = sum(float(score.sum()) for score in scores.values())
    return {name: score / total for name, score in scores.items()}


def snip(
    model: nn.Module,
    loss_fn: Loss,
    batch_or_loader: Data,
    sparsity: float,
    *,
    where: Where = None,
    seed: int = 0,
    batches: int = 1,
    floor: int = 0,
) -> Masks:
    """SNIP (Lee et al. 2019, arXiv:1810.02340), also P1's text: the largest connection sensitivities of one batch live.

    All layers are compared with one another, so a layer may lose all its weights; then a ``LayerCollapseWarning``
    names it.  The model, its gradients, buffers and modes, and torch's random state stay as they are.

    Args:
        model: at its initialisation; its modules run in the modes they have.
        loss_fn: ``(outputs, targets)`` to the mean loss of a batch.
        batch_or_loader: a pair ``(inputs, targets)`` or an iterable of such pairs, whose first is used; 128
            samples in P1's code.
        sparsity: share of zeros over the selected weights, in [0, 1).
        where: which weights, see ``select``.
        seed: chooses among equal scores; see also ``connection_sensitivity``.
        batches: so many batches of a loader, 1 in the paper.
        floor: weights of each layer that live whatever their scores; 0 in the paper.

    Returns:
        Masks with exactly round((1 - sparsity)·N) live weights, for ``Sparsifier(Static(masks), ..., where=masks)``.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> batch = torch.randn(32, 8), torch.randint(3, (32,))
        >>> masks = snip(model, nn.functional.cross_entropy, batch, sparsity=0.75)
        >>> {name: int(mask.sum()) for name, mask in masks.items()}
        {'0.weight': 25, '2.weight': 19}
    """
    count = live_weights(shapes(select(model, where)), sparsity)
    scores = connection_sensitivity(model, loss_fn, batch_or_loader, where=where, seed=seed, batches=batches)
    return warn_of_collapse(best(scores, count, torch.Generator().manual_seed(seed), floor))


def snip_released(
    model: nn.Module,
    loss_fn: Loss,
    batch_or_loader: Data,
    sparsity: float,
    *,
    where: Where = None,
    seed: int = 0,
    batches: int = 1,
    floor: int = 0,
    reinitialize: bool = False,
    nll_on_outputs: bool = False,
    bernoulli: bool = False,
) -> Masks:
    """SNIP as P1's released code has it: only SNIP's number of live weights per layer is kept, positions are random.

    Whether SNIP's positions matter, or its densities alone, is what the comparison with ``snip`` tells.  The code
    leaves its text in three more ways, off unless a result is to be reproduced.

    Args:
        model: see ``snip``.
        loss_fn: see ``snip``; not called with ``nll_on_outputs``.
        batch_or_loader: see ``snip``.
        sparsity: share of zeros over the selected weights, in [0, 1).
        where: which weights, see ``select``.
        seed: of the positions; see also ``snip``.
        batches: see ``snip``.
        floor: see ``snip``.
        reinitialize: score a copy whose convolutions and linear layers have new weights, normal with Glorot's variance,
            so that the model's own initialisation does not count.
        nll_on_outputs: the loss is the negative mean output of the right class, a negative log-likelihood only for
            models that end in a log-softmax.
        bernoulli: each weight lives with the probability of its layer's density, so the number is random.

    Returns:
        Masks with exactly round((1 - sparsity)·N) live weights, unless ``bernoulli``.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> batch = torch.randn(32, 8), torch.randint(3, (32,))
        >>> masks = snip_released(model, nn.functional.cross_entropy, batch, sparsity=0.75)
        >>> {name: int(mask.sum()) for name, mask in masks.items()}
        {'0.weight': 25, '2.weight': 19}
    """
    params = select(model, where)
    count = live_weights(shapes(params), sparsity)
    loss = nll_loss if nll_on_outputs else loss_fn
    scores = connection_sensitivity(
        model, loss, batch_or_loader, where=where, seed=seed, batches=batches, reinitialize=reinitialize
    )
    generator = torch.Generator().manual_seed(seed)
    chosen = best(scores, count, generator, floor)
    return warn_of_collapse(_elsewhere(chosen, generator, bernoulli))


def _elsewhere(masks: Masks, generator: torch.Generator, bernoulli: bool) -> Masks:
    """As many live weights in each layer, exactly or in the mean, at random positions."""
    if not bernoulli:
        return scatter(masks, {name: int(mask.sum()) for name, mask in masks.items()}, generator)
    coins = {name: torch.rand(mask.shape, generator=generator).to(mask.device) for name, mask in masks.items()}
    return {name: coins[name] < chance for name, chance in density(masks).items()}
