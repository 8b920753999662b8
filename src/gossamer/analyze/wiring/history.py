"""The wiring over a training: who stays, who comes back, how old the living are, how much was ever explored."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from gossamer.analyze.wiring.layer import BITS, Wiring
from gossamer.analyze.wiring.tally import Row, Tally, total
from gossamer.core import masks as mask_ops
from gossamer.core.errors import StateError

Masks = Mapping[str, Tensor]


class MaskHistory:
    """Follows masks over their updates: ``if sparsifier.step(): history.record(step, sparsifier.masks)``.

    It keeps 8 bytes for each weight, however long the training, and a few numbers for each record and layer.

    Args:
        masks: who lives at the start, True is alive; copied.
        step: optimizer steps done by then.

    Raises:
        StateError: masks that are not bool, or none.

    Example:
        >>> import torch
        >>> history = MaskHistory({"a": torch.tensor([True, True, False, False])})
        >>> history.record(100, {"a": torch.tensor([True, False, True, False])})
        >>> row = history.rows()[-1]
        >>> row["survived"], row["born"], row["died"], row["age"], row["explored"]
        (0.5, 1, 1, 50.0, 0.75)
    """

    def __init__(self, masks: Masks, *, step: int = 0) -> None:
        if not masks:
            raise StateError("expected masks to follow, got none; pass for instance sparsifier.masks")
        mask_ops.check(masks, masks)
        self._layers = {name: Wiring(mask.clone(), step) for name, mask in masks.items()}
        self._records: list[tuple[int, dict[str, Tally]]] = []
        self._take(step, masks)

    def record(self, step: int, masks: Masks) -> None:
        """Take the masks after an update.

        Args:
            step: optimizer steps done so far.
            masks: who lives now; copied.

        Raises:
            StateError: the step does not come after the last record's, or the masks are another network's.
        """
        last = self._records[-1][0]
        if step < last or (step == last and len(self._records) > 1):  # the first update may be at the start's step
            raise StateError(
                f"expected a step after {last}, got {step}; a resumed training loads the state of its checkpoint: "
                "history.load_state_dict(...)"
            )
        mask_ops.check(masks, {name: layer.start for name, layer in self._layers.items()})
        self._take(step, masks)

    def rows(self) -> list[Row]:
        """The network at each record, the start first.

        Returns:
            ``step`` and what :meth:`~gossamer.analyze.wiring.tally.Tally.row` has, for all layers together.
        """
        return [{"step": step, **total(layers.values()).row()} for step, layers in self._records]

    def layer_rows(self) -> list[Row]:
        """Each layer at each record: its density over time among others.

        Returns:
            ``step``, ``layer`` and what :meth:`~gossamer.analyze.wiring.tally.Tally.row` has.
        """
        return [
            {"step": step, "layer": name, **tally.row()}
            for step, layers in self._records
            for name, tally in layers.items()
        ]

    def state_dict(self) -> dict[str, Any]:
        """Everything a resumed run needs (loads with ``weights_only=True``); bools as bits, on the CPU."""
        return {
            "shapes": self._shapes(),
            "since": {name: layer.since.cpu().clone() for name, layer in self._layers.items()},
            "records": [
                (step, {name: asdict(tally) for name, tally in layers.items()}) for step, layers in self._records
            ],
            **{bits: mask_ops.pack({name: getattr(at, bits) for name, at in self._layers.items()}) for bits in BITS},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where ``state_dict()`` was taken, its start included.

        Args:
            state: what ``state_dict()`` gave.

        Raises:
            StateError: it is another network's.
        """
        if state["shapes"] != (shapes := self._shapes()):
            raise StateError(
                f"expected a history of masks {shapes}, got one of {state['shapes']}; make it with this network's masks"
            )
        masks = {bits: mask_ops.unpack(state[bits], shapes) for bits in BITS}
        for name, layer in self._layers.items():
            layer.load({bits: masks[bits][name] for bits in BITS}, state["since"][name])
        self._records = [
            (step, {name: Tally(**counts) for name, counts in layers.items()}) for step, layers in state["records"]
        ]

    def _take(self, step: int, masks: Masks) -> None:
        self._records.append((step, {name: at.update(step, masks[name]) for name, at in self._layers.items()}))

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(layer.start.shape) for name, layer in self._layers.items()}
