"""Asked and actual, layer by layer, in words."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from gossamer.core import masks as mask_ops
from gossamer.core.method import Method, promised
from gossamer.core.named import Params, is_depthwise, unwrap


@dataclass(frozen=True)
class Row:
    """One weight: its size, its density at the start and now, and why."""

    name: str
    shape: tuple[int, ...]
    total: int
    live: int
    start: float
    density: float
    why: str


@dataclass(frozen=True)
class Report:
    """All weights of a model; ``asked`` is None where the method promises no number.

    ``parameters`` and ``nonzero`` count the whole model: what is not selected stays dense, so that the model's own
    sparsity is a little below the one asked for.
    """

    rows: tuple[Row, ...]
    asked: int | None
    live: int
    total: int
    parameters: int
    nonzero: int

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        lines = [f"{'weight':<{width}}  {'live':>12} {'of':>12}  {'start':>7} {'now':>7}  why"]
        lines += [
            f"{row.name:<{width}}  {row.live:>12,} {row.total:>12,}  {row.start:>7.4f} {row.density:>7.4f}  {row.why}"
            for row in self.rows
        ]
        asked = "no number was asked for" if self.asked is None else f"asked {self.asked:,} live weights"
        lines.append(
            f"{asked}, actual {self.live:,} of {self.total:,}: sparsity "
            f"{1 - self.live / self.total:.6f} (of all {self.parameters:,} parameters, biases and norms included: "
            f"{1 - self.nonzero / self.parameters:.6f})"
        )
        return "\n".join(lines)


def report(
    method: Method,
    model: nn.Module,
    params: Params,
    masks: Mapping[str, Tensor],
    start: Mapping[str, float],
    clock: int,
) -> Report:
    """The report of a model under a method.

    Args:
        method: who chose the masks.
        model: the network.
        params: its selected weights.
        masks: who lives.
        start: density of each selected weight at the start.
        clock: steps done, for the number that is promised now.

    Returns:
        The report.
    """
    rows = tuple(_sparse_row(method, name, mask, start[name]) for name, mask in masks.items())
    live, total = mask_ops.live(masks), mask_ops.size(masks)
    parameters = sum(p.numel() for p in model.parameters())
    asked = promised(method, max(clock - 1, 0), params)
    return Report(rows + _dense_rows(model, params), asked, live, total, parameters, parameters - total + live)


def _sparse_row(method: Method, name: str, mask: Tensor, start: float) -> Row:
    live, total = int(mask.sum()), mask.numel()
    return Row(name, tuple(mask.shape), total, live, start, live / total, _why(method, name, start, live / total))


def _why(method: Method, name: str, start: float, density: float) -> str:
    title, source = type(method).__name__, getattr(method, "distribution", None)
    source = "explicit" if isinstance(source, Mapping) else source
    if name in getattr(method, "dense", ()):
        return "kept dense, as asked"
    if source is None:
        return "given" if start == density else f"chosen by {title}"
    pattern = getattr(method, "pattern", None)
    if pattern is not None:
        source = f"{source} within {pattern.n}:{pattern.m}"
    if start == 1.0:
        return f"dense: {source} gives it density 1" if density == 1.0 else f"dense at the start, pruned by {title}"
    return f"{source} density, places by {title}" if start == density else f"{source} at the start, then {title}"


def _dense_rows(model: nn.Module, params: Params) -> tuple[Row, ...]:
    """The matrices and kernels that were not selected; biases and norms are only counted."""
    selected = {id(p) for p in params.values()}
    depthwise = {id(module.weight) for module in unwrap(model).modules() if is_depthwise(module)}
    return tuple(
        Row(name, tuple(p.shape), p.numel(), p.numel(), 1.0, 1.0, _why_dense(id(p) in depthwise))
        for name, p in unwrap(model).named_parameters()
        if p.dim() > 1 and id(p) not in selected
    )


def _why_dense(depthwise: bool) -> str:
    return "dense: depthwise convolutions are left out" if depthwise else "dense: not selected"
