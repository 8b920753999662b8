"""Gradient flow over a training, and its change across each mask update (P3: Evci et al. 2022, arXiv:2010.03533)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from gossamer.analyze.flow.gradient import Gradient, mean_gradient
from gossamer.analyze.flow.rows import Row, by_layer, changed, measured, without_layers
from gossamer.analyze.passes import Data, Loss, Passes
from gossamer.core.errors import SettingError, StateError
from gossamer.core.schedule import is_whole

Masks = Mapping[str, Tensor]


@runtime_checkable
class HasMasks(Protocol):
    """Whoever knows who lives now, such as a :class:`~gossamer.core.sparsifier.Sparsifier`."""

    @property
    def masks(self) -> Masks:
        """The masks of this moment."""


Source = HasMasks | Callable[[], Masks] | Masks | None


class GradientFlow:
    """Records the gradient flow of a training, in two lines of anyone's loop.

    Nothing of the training changes: modes, statistics, ``.grad`` and random state are left as found. A measurement
    costs one forward and backward pass over the data; an update that changes masks costs two.

    Args:
        model: the network in training.
        loss: of (outputs, labels), the mean over the batch, without regulariser.
        data: the fixed subset; P3 has 1,000 training images. One that changes between records is found out.
        masks: who knows the masks: a sparsifier (anything with ``.masks``), a function that gives them, or masks that
            never change. None: the network is dense.
        every: record at steps that are multiples of this; P3's MNIST curves have a point every 100 or 200 steps.
        masked_only: leave biases and norms out of the norm; see :func:`~gossamer.analyze.flow.norms.gradient_norm`.
        batch_size: samples at once, where a pair is given.

    Raises:
        SettingError: an interval that is no whole number of 1 or more, or masks that are none of these.

    Example:
        >>> from gossamer.core.sparsifier import Sparsifier
        >>> from gossamer.core.method import SparseMethod
        >>> _ = torch.manual_seed(0)
        >>> model, samples = nn.Linear(20, 10), (torch.randn(8, 20), torch.zeros(8))
        >>> optimizer, loss = torch.optim.SGD(model.parameters(), lr=0.1), lambda outputs, _: outputs.square().mean()
        >>> sparsifier = Sparsifier(SparseMethod(sparsity=0.9, total_steps=5), model, optimizer)
        >>> flow = GradientFlow(model, loss, samples, masks=sparsifier, every=2)
        >>> for step in range(5):
        ...     recorded = flow.record(step)
        ...     optimizer.zero_grad()
        ...     loss(model(samples[0]), None).backward()
        ...     with flow.update(step):
        ...         rewired = sparsifier.step()
        ...     optimizer.step()
        >>> [row["step"] for row in flow.rows()], flow.updates()  # this method never changes its masks
        ([0, 2, 4], [])
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        data: Data,
        *,
        masks: Source = None,
        every: int = 100,
        masked_only: bool = False,
        batch_size: int = 1000,
    ) -> None:
        if not is_whole(every) or every < 1:
            raise SettingError(f"expected every as a whole number of steps ≥ 1, got {every!r}; P3 records every 100")
        self._model, self._loss, self._data = model, loss, Passes(data, batch_size)
        self._source, self._masks = masks, _reader(masks)
        self._every, self._masked_only = every, masked_only
        self._records: list[Row] = []
        self._updates: list[Row] = []

    def record(self, step: int, *, always: bool = False) -> bool:
        """Measure the flow if this step is due.

        Args:
            step: optimizer steps done so far.
            always: also where it is not due, such as after the last step.

        Returns:
            Whether there is a new row: not for a step that has one.

        Raises:
            StateError: the step lies before the last recorded one, or the loss is not finite.
        """
        if (step % self._every and not always) or not _is_next(step, self._records):
            return False
        self._records.append({"step": step, **measured(self._gradient(), self._masked_only)})
        return True

    @contextmanager
    def update(self, step: int, *, due: bool | None = None) -> Iterator[None]:
        """Measure the flow before and after a mask update: ``with flow.update(step): sparsifier.step()``.

        Both see the same weights but for those that die or are born, as the optimizer has not moved. There is a row
        only where masks changed: not for a rewiring that waits, nor for one that revives just those it killed.

        Args:
            step: optimizer steps done so far.
            due: whether masks may change; where False nothing is measured. Default: what the sparsifier's ``due``
                says; True where a function gives the masks, False where they are fixed.

        Yields:
            Nothing.

        Raises:
            StateError: the step lies before the last update's, or the loss is not finite.
        """
        due = self._may_change() if due is None else due
        if not due or not _is_next(step, self._updates):
            yield
            return
        masks, before = {name: mask.clone() for name, mask in self._masks().items()}, self._gradient()
        yield
        if _differ(masks, self._masks()):
            self._updates.append({"step": step, **changed(before, self._gradient(), self._masked_only)})

    def rows(self) -> list[Row]:
        """The curve over training, for a table.

        Returns:
            ``step``, ``loss``, ``norm`` (P3's measure), ``egf_l1`` and ``egf_l2`` (see
            :func:`~gossamer.analyze.flow.effective.effective_gradient_flow`).
        """
        return [without_layers(record) for record in self._records]

    def layer_rows(self) -> list[Row]:
        """The curve of each parameter, for a table.

        Returns:
            ``step``, ``layer``, ``live``, ``l1`` and ``l2`` of its live gradient.
        """
        return by_layer(self._records)

    def updates(self) -> list[Row]:
        """The mask updates, for a table.

        Returns:
            ``step``, ``before``, ``after`` and ``change`` = after - before of the norm (P3 Figure 3), ``loss_before``
            and ``loss_after``.
        """
        return [without_layers(update) for update in self._updates]

    def layer_updates(self) -> list[Row]:
        """The mask updates of each parameter, for a table.

        Returns:
            ``step``, ``layer``, ``before``, ``after`` and ``change`` of its l2 norm.
        """
        return by_layer(self._updates)

    def state_dict(self) -> dict[str, Any]:
        """Everything recorded, for a checkpoint (loads with ``weights_only=True``)."""
        return {"every": self._every, "masked_only": self._masked_only, "data": self._data.fingerprint} | {
            "records": [dict(record) for record in self._records],
            "updates": [dict(update) for update in self._updates],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue a record where ``state_dict()`` was taken.

        Args:
            state: what ``state_dict()`` gave.

        Raises:
            StateError: it was recorded with other settings or on other data.
        """
        own = self.state_dict()
        for key in ("every", "masked_only", "data"):
            if state.get(key) != own[key]:
                raise StateError(
                    f"expected a record with {key} {own[key]}, got {state.get(key)}; continue with the settings and "
                    "the samples it was begun with"
                )
        self._records, self._updates = [dict(row) for row in state["records"]], [dict(row) for row in state["updates"]]

    def _may_change(self) -> bool:
        fixed = self._source is None or isinstance(self._source, Mapping)
        return not fixed and bool(getattr(self._source, "due", True))

    def _gradient(self) -> Gradient:
        return mean_gradient(self._model, self._loss, self._data, masks=self._masks())


def _reader(source: Source) -> Callable[[], Masks]:
    if source is None:
        return dict
    if isinstance(source, Mapping):
        return lambda: source
    if isinstance(source, HasMasks):
        return lambda: source.masks
    if callable(source):
        return source
    raise SettingError(
        f"expected masks as a sparsifier, a function that gives masks, or masks by parameter name, got "
        f"{type(source).__name__}; pass the sparsifier of the loop"
    )


def _is_next(step: int, records: list[Row]) -> bool:
    """Whether a step comes after the last one; a repeated one is left as it is."""
    last = records[-1]["step"] if records else -1
    if step < last:
        raise StateError(
            f"expected a step after {last}, got {step}; a resumed training loads the state of its checkpoint: "
            "flow.load_state_dict(...)"
        )
    return bool(step > last)


def _differ(first: Masks, second: Masks) -> bool:
    return set(first) != set(second) or any(not torch.equal(mask, second[name]) for name, mask in first.items())
