"""A method of one's own, scaled gradients, clipping, a sparse average, and a training that stops and goes on.

The last lines compare it with one that was never stopped: not a bit differs.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gossamer import DropAndGrow, Masks, SparseEMA, Sparsifier, rewire

STEPS = 240
images, labels = (torch.from_numpy(array) for array in load_digits(return_X_y=True))
images = images.float().div(16)


@dataclass(frozen=True, kw_only=True)
class Neighbours(DropAndGrow):
    """Small weights die; born are those with a large |gradient| whose two neurons still have many live weights."""

    @property
    def dense_gradient(self) -> bool:
        return True

    def grow(self, grad: Tensor, mask: Tensor, count: int, generator: torch.Generator) -> Tensor:
        density = mask.float()
        neighbours = density.mean(1, keepdim=True) + density.mean(0, keepdim=True)
        return rewire.grow_largest(grad.abs() * neighbours, mask, count, generator)


class Run:
    """All that a training consists of, and its steps."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-3)
        method = Neighbours(sparsity=0.9, total_steps=STEPS, every=10)
        self.sparsifier = Sparsifier(method, self.model, self.optimizer, seed=0, newborn="mean")
        self.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
        self.average = SparseEMA(self.model, self.sparsifier, decay=0.95)
        self.parts = {name: getattr(self, name) for name in ("model", "optimizer", "sparsifier", "scaler", "average")}

    def steps(self, first: int, last: int) -> None:
        for step in range(first, last):
            chosen = torch.randint(1500, (64,), generator=torch.Generator().manual_seed(step))
            self.optimizer.zero_grad()
            self.scaler.scale(cross_entropy(self.model(images[chosen]), labels[chosen])).backward()
            self.scaler.unscale_(self.optimizer)
            self.sparsifier.step()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)  # the norm of the living alone
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.average.update()

    def save(self, path: Path) -> None:
        torch.save({name: part.state_dict() for name, part in self.parts.items()}, path)

    def load(self, path: Path) -> None:
        for name, state in torch.load(path, weights_only=True).items():
            self.parts[name].load_state_dict(state)


def alive(masks: Masks) -> int:
    return sum(int(mask.sum()) for mask in masks.values())


def main() -> None:
    with TemporaryDirectory() as folder:
        stopped, resumed, whole = Run(), Run(), Run()
        stopped.steps(0, STEPS // 2)
        stopped.save(Path(folder) / "state.pt")
        resumed.load(Path(folder) / "state.pt")
    resumed.steps(STEPS // 2, STEPS)
    whole.steps(0, STEPS)
    average = resumed.average.averaged()
    accuracy = (average(images[1500:]).argmax(1) == labels[1500:]).float().mean()
    same = all(torch.equal(value, whole.model.state_dict()[name]) for name, value in resumed.model.state_dict().items())
    print(f"stopped, resumed, and the same bits as in one go: {same}")
    print(f"test accuracy of the average {accuracy:.1%}")
    nonzero = sum(int(average[place].weight.count_nonzero()) for place in (0, 2))
    print(f"{alive(resumed.sparsifier.masks)} weights live, of the average {nonzero} are not zero")


if __name__ == "__main__":
    main()
