"""What one layer remembers of its masks."""

from collections.abc import Mapping

import torch
from torch import Tensor

from gossamer.analyze.wiring.tally import Tally

BITS = ("start", "alive", "unbroken", "ever")


class Wiring:
    """One layer's masks over time: four bools and the step of its birth for each weight.

    Args:
        mask: who lives at the start; kept, not copied.
        step: the step by then.

    Example:
        >>> wiring = Wiring(torch.tensor([True, False]), step=0)
        >>> tally = wiring.update(5, torch.tensor([False, True]))
        >>> tally.born, tally.died, tally.ever
        (1, 1, 2)
    """

    def __init__(self, mask: Tensor, step: int) -> None:
        self.start, self.alive = mask, mask
        self.unbroken, self.ever = mask.clone(), mask.clone()
        self.since = torch.full(mask.shape, step, dtype=torch.int32, device=mask.device)

    def update(self, step: int, mask: Tensor) -> Tally:
        """Take the mask after an update.

        Args:
            step: optimizer steps done so far.
            mask: who lives now; copied.

        Returns:
            What is counted.
        """
        before, self.alive = self.alive, mask.to(self.start.device, copy=True)
        born, died = self.alive & ~before, before & ~self.alive
        self.since[born] = step
        self.unbroken &= self.alive
        self.ever |= self.alive
        return Tally(
            weights=mask.numel(),
            live=_count(self.alive),
            before=_count(before),
            born=_count(born),
            died=_count(died),
            start=_count(self.start),
            common=_count(self.start & self.alive),
            unbroken=_count(self.unbroken),
            ages=int((step - self.since[self.alive].to(torch.int64)).sum()),
            ever=_count(self.ever),
        )

    def load(self, bits: Mapping[str, Tensor], since: Tensor) -> None:
        """Continue what another wiring remembered.

        Args:
            bits: its bool tensors by the names in ``BITS``.
            since: the step of each weight's birth.
        """
        device = self.start.device
        for name in BITS:
            setattr(self, name, bits[name].to(device, copy=True))
        self.since = since.to(device, copy=True)


def _count(mask: Tensor) -> int:
    return int(mask.count_nonzero())
