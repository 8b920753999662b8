"""Signal propagation at initialisation, against sparsity (P3 Figure 1: Evci et al. 2022, arXiv:2010.03533)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from gossamer.analyze.flow.moments import Moments
from gossamer.analyze.flow.propagation import Measure, Propagation
from gossamer.analyze.flow.start import P3_STARTS, Start
from gossamer.analyze.passes import check_batch_size
from gossamer.core.distribution import Distribution, check_sparsity, counts, find
from gossamer.core.errors import DataError, SettingError, StateError
from gossamer.core.given import check_seed, check_tensor
from gossamer.core.modes import left_as_found
from gossamer.core.named import Params, Where, select, shapes, unwrap
from gossamer.core.rewire import scatter

P3_SPARSITIES = tuple(round(0.07 * step, 2) for step in range(15))  # 0, 0.07, ... 0.98: the points of P3 Figure 1


def signal_propagation(
    make_model: nn.Module | Callable[[], nn.Module],
    inputs: Tensor,
    sparsities: Sequence[float] = P3_SPARSITIES,
    *,
    starts: Mapping[str, Start] = P3_STARTS,
    distribution: str | Mapping[str, float] = "uniform",
    seeds: Sequence[int] = (0, 1, 2),
    where: Where = None,
    batch_size: int = 1000,
) -> Propagation:
    """How much of the inputs' variation reaches the outputs of an untrained network, by sparsity and initialisation.

    For each seed and sparsity random masks are drawn, exact in number, and the selected weights are drawn anew under
    each initialisation: the same masks and the same random numbers for all of them. Other parameters, such as biases,
    keep the values the model comes with (zero in P3's LeNet5). The model is asked in evaluation mode.

    Args:
        make_model: a function that builds the network, called once a seed; or a network, which is copied.
        inputs: (N, ...), N at least 2.
        sparsities: shares of zeros among the selected weights, in [0, 1).
        starts: initialisations by the name their rows get. Default: P3's released notebook, in which the sparse ones
            have variance 2 / fan-in and the dense one is Keras' Glorot uniform.
        distribution: how live weights are shared among layers, as in a method; P3's masks have the same sparsity in
            every layer.
        seeds: of masks and weights; P3's notebook draws three times.
        where: which weights, as of :func:`~gossamer.core.named.select`.
        batch_size: samples at once; it bounds the memory, not the result.

    Returns:
        The deviations, by seed; tables over seeds by its ``rows()``.

    Raises:
        SettingError: no sparsity, seed or start, or one outside its range.
        DataError: fewer than 2 samples, or the model does not give one tensor.
        StateError: outputs that are not finite.

    Example:
        >>> inputs = torch.randn(50, 100, generator=torch.Generator().manual_seed(0))
        >>> model = nn.Sequential(nn.Linear(100, 100, bias=False), nn.ReLU())
        >>> found = signal_propagation(model, inputs, [0.9], seeds=[0])
        >>> [(row["start"], round(row["output"], 1)) for row in found.rows()]
        [('dense', 0.2), ('scaled_per_layer', 0.8), ('scaled_per_neuron', 0.8)]
    """
    _check(inputs, sparsities, starts, seeds)
    check_batch_size(batch_size)
    share, measures = find(distribution), []
    for seed in seeds:
        model = _built(make_model, seed)
        params = select(model, where)
        for sparsity in sparsities:
            masks = _masks(params, sparsity, share, seed)
            for name, start in starts.items():
                start.draw_(params, masks, _generator(seed, "weights"))
                output, layers = _propagate(model, params, inputs, batch_size)
                measures.append(Measure(name, sparsity, seed, output.overall(), _mean(output), layers))
    return Propagation(tuple(measures))


def _masks(params: Params, sparsity: float, share: Distribution, seed: int) -> dict[str, Tensor]:
    sizes = shapes(params)
    return scatter(params, counts(sizes, share(sizes, sparsity)), _generator(seed, "masks"))


def _generator(seed: int, of: str) -> torch.Generator:
    """Masks and weights from streams of their own, so that every initialisation meets the same of both."""
    return torch.Generator().manual_seed(2 * seed + (of == "weights"))


def _built(make_model: nn.Module | Callable[[], nn.Module], seed: int) -> nn.Module:
    if isinstance(make_model, nn.Module):
        return deepcopy(unwrap(make_model))
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model = make_model()
    if not isinstance(model, nn.Module):
        raise SettingError(f"expected a function that builds a network, it gave {type(model).__name__}; return one")
    return unwrap(model)


def _propagate(model: nn.Module, params: Params, inputs: Tensor, batch_size: int) -> tuple[Moments, dict[str, float]]:
    """One pass of all inputs: the moments of the outputs, and the deviation of each layer's outputs."""
    device = next(iter(params.values())).device
    layers = {name: Moments() for name in params}
    outputs = Moments()
    with left_as_found(model), torch.no_grad(), ExitStack() as stack:
        for name, module in _owners(model, params):
            stack.callback(module.register_forward_hook(_adding(layers[name])).remove)
        for batch in torch.split(inputs, batch_size):
            given = model(batch.to(device))
            if not isinstance(given, Tensor):
                raise DataError(
                    f"expected one tensor from the model, got {type(given).__name__}; wrap it in a module "
                    "that gives its logits"
                )
            if not bool(given.isfinite().all()):
                raise StateError("expected finite outputs, got infinite ones or NaN; check inputs and scale")
            outputs.add(_by_channel(given))
    return outputs, {name: moments.overall() for name, moments in layers.items() if moments}


def _owners(model: nn.Module, params: Params) -> list[tuple[str, nn.Module]]:
    """The layers that own the selected weights; a tied one has several."""
    names = {id(weight): name for name, weight in params.items()}
    return [
        (names[id(weight)], module)
        for module in model.modules()
        for weight in module.parameters(recurse=False)
        if id(weight) in names
    ]


def _adding(moments: Moments) -> Callable[[nn.Module, Any, Any], None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            moments.add(output.reshape(-1, 1))

    return hook


def _by_channel(outputs: Tensor) -> Tensor:
    """(B, C), (B, T, C) or (B, C, H, W) as (samples and places, C)."""
    return (outputs.movedim(1, -1) if outputs.dim() > 3 else outputs).flatten(0, -2)


def _mean(moments: Moments) -> float:
    return float(moments.per_channel().mean())


def _check(inputs: Tensor, sparsities: Sequence[float], starts: Mapping[str, Start], seeds: Sequence[int]) -> None:
    check_tensor(inputs, "inputs")
    if inputs.dim() == 0 or len(inputs) < 2:
        raise DataError(f"expected at least 2 samples (N, ...), got shape {tuple(inputs.shape)}; one has no deviation")
    for what, given in (("sparsity", sparsities), ("start", starts), ("seed", seeds)):
        if len(given) == 0:
            raise SettingError(f"expected at least one {what}, got none; leave it out for P3's")
    for sparsity in sparsities:
        check_sparsity(sparsity)
    for seed in seeds:
        check_seed(seed)
