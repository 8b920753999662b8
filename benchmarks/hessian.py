"""Curvature of a sparse LeNet5 beside curvlinops and scipy: five eigenvalues, and the whole spectrum.

Each with its default settings, with which both first see that the data are the same in every pass, and in the batches
that suit it best (of 100, 250 and 500 images).
``curvlinops`` is not needed for anything else: ``pip install curvlinops-for-pytorch``.
"""

import argparse
import warnings
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.timing import Row, interleaved, machine, table
from gossamer.analyze.curvature.eigen import Eigenpairs, eigenvalues
from gossamer.analyze.curvature.exact_spectrum import exact_hessian
from gossamer.analyze.curvature.hessian import HessianOperator, hessian
from gossamer.analyze.curvature.krylov import Basis
from gossamer.bench.data import load
from gossamer.bench.models import build

TOP = 5
TOLERANCE = 1e-3  # residuals, in units of the eigenvalue, for both
TARGET = 1.0  # our share of the other's time for the five eigenvalues
TARGET_EXACT = 5.0
BLOCK = 8  # columns at once of the other, which takes the time of two thirds of as many single ones
INSTALL = "curvlinops cannot be imported here: pip install curvlinops-for-pytorch"

Batch = tuple[Tensor, Tensor]
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Size:
    """A LeNet5 trained for some steps with random masks, and what its Hessian is taken on."""

    sparsity: float = 0.95
    steps: int = 600
    images: int = 2000
    batch: int = 100
    peer_batch: int = 500
    columns: int = 32  # of the whole matrix, by the other; the rest of its time is reckoned


class Task:
    """A sparse network, data, and the other's operator on its live coordinates."""

    def __init__(self, size: Size, data: Batch, peer: ModuleType) -> None:
        self.size, self.peer = size, peer
        self.model, self.masks = trained(size, data)
        self.data = data[0][: size.images], data[1][: size.images]
        flat = {name: self.masks.get(name, torch.ones_like(p).bool()) for name, p in self.model.named_parameters()}
        self.alive = torch.cat([mask.flatten() for mask in flat.values()])

    def ours(self) -> Eigenpairs:
        operator = hessian(self.model, cross_entropy, self.data, masks=self.masks, batch_size=self.size.batch)
        return eigenvalues(operator, top=TOP, tolerance=TOLERANCE)

    def theirs(self) -> tuple[Array, Array]:
        return eigsh(self.operator(), k=TOP, which="LA", tol=TOLERANCE, v0=start(int(self.alive.sum())))

    def exact(self) -> Tensor:
        return exact_hessian(self.model, cross_entropy, self.data, masks=self.masks).eigenvalues

    def their_columns(self) -> None:
        operator = self.operator()
        for first in range(0, self.size.columns, BLOCK):
            operator.matmat(np.eye(operator.shape[0], min(BLOCK, self.size.columns - first), -first))

    def operator(self) -> LinearOperator:
        return on_live(self.peer, self.model, self.data, self.alive, self.size.peer_batch)


def on_live(peer: ModuleType, model: nn.Module, data: Batch, alive: Tensor, batch: int) -> LinearOperator:
    """The other's Hessian, of which only live rows and columns are seen, as no operator of its own does that."""
    batches = list(zip(*(part.split(batch) for part in data), strict=True))
    whole = peer.HessianLinearOperator(
        model.eval(), nn.CrossEntropyLoss(), list(model.parameters()), batches, num_data=len(data[1])
    )

    def product(vectors: Array) -> Array:
        full = torch.zeros(len(alive), *vectors.shape[1:])
        full[alive] = torch.as_tensor(vectors, dtype=torch.float32)
        return (whole @ full)[alive].double().numpy()

    count = int(alive.sum())
    return LinearOperator((count, count), matvec=product, matmat=product, dtype=np.float64)


def start(count: int) -> Array:
    return np.random.default_rng(0).standard_normal(count)


def trained(size: Size, data: Batch) -> tuple[nn.Module, dict[str, Tensor]]:
    """A LeNet5 with random masks and scaled weights, after some steps of SGD."""
    torch.manual_seed(0)
    images, labels = data
    model = build("lenet5", num_classes=10, image_size=images.shape[-1], channels=1)
    weights = {name: p for name, p in model.named_parameters() if p.dim() > 1}
    masks = {name: torch.rand(p.shape) < 1 - size.sparsity for name, p in weights.items()}
    with torch.no_grad():
        for name, p in weights.items():
            p.mul_(masks[name] / (1 - size.sparsity) ** 0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(size.steps):
        pick = torch.randint(len(images), (128,))
        optimizer.zero_grad()
        cross_entropy(model(images[pick]), labels[pick]).backward()
        for name, p in weights.items():
            p.grad.mul_(masks[name])
        optimizer.step()
    return model.eval(), masks


def find_peer() -> ModuleType:
    """The other package; tells how to get it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports warn
            import curvlinops
    except ImportError as error:
        raise SystemExit(f"{INSTALL} ({error})") from None
    return curvlinops


def mnist() -> Batch:
    found = load("mnist")
    return found.train_images.float() / 255, found.train_labels.long()


def check(task: Task) -> None:
    """Both find the same eigenvalues."""
    ours, (values, _) = task.ours(), task.theirs()
    theirs = torch.as_tensor(np.sort(values)[::-1].copy())
    if not torch.allclose(ours.values, theirs, rtol=TOLERANCE):
        raise AssertionError(f"ours {ours.values.tolist()} and theirs {theirs.tolist()} are not the same eigenvalues")
    print(f"the same five eigenvalues, {spelled(theirs)}; ours after {ours.products} products")


def plain(operator: HessianOperator) -> Tensor:
    """Lanczos from one vector, until the residuals of the five largest Ritz values are small."""
    basis = Basis(operator, seed=0)
    joining = basis.random(1)
    while True:
        basis.expand(joining)
        values, rotation = (part[..., -TOP:] for part in basis.ritz())
        joining = basis.residuals(values, rotation)  # all along one direction, that of the next vector
        if len(values) == TOP and bool((joining.norm(dim=0) <= TOLERANCE * values).all()):
            return values.flip(0)


def several(data: Batch, peer: ModuleType, batch: int = 100) -> dict[str, Tensor]:
    """The five largest eigenvalues of softmax regression at zero: known ones, and as found in several ways.

    All classes are as likely there, so that H = (I/C - 11ᵀ/C²) ⊗ mean xxᵀ has each eigenvalue but zero C - 1 times.
    """
    images, labels = data[0].flatten(1), data[1]
    model = nn.Linear(images.shape[1], 10, bias=False)
    nn.init.zeros_(model.weight)
    inputs = torch.linalg.eigvalsh(images.double().T @ images.double() / len(images))
    exact = (inputs / 10).repeat_interleave(9).flip(0)[:TOP]
    operator = hessian(model, cross_entropy, (images, labels), batch_size=batch)
    alive = torch.ones(model.weight.numel()).bool()
    theirs = eigsh(
        on_live(peer, model, (images, labels), alive, batch),
        k=TOP,
        which="LA",
        tol=TOLERANCE,
        v0=start(len(alive)),
        return_eigenvectors=False,
    )
    return {
        "exact": exact,
        "ours": eigenvalues(operator, top=TOP).values,
        "Lanczos from one vector": plain(operator),
        "curvlinops and eigsh": torch.as_tensor(np.sort(theirs)[::-1].copy()),
    }


def measure(
    repetitions: int = 5, size: Size = Size(), data: Batch | None = None, peer: ModuleType | None = None
) -> list[Row]:
    """One row for the five, one for all."""
    data, peer = data or mnist(), peer or find_peer()
    task = Task(size, data, peer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the other's own
        check(task)
        report(several(task.data, peer, size.batch))
        seconds = interleaved({"ours": task.ours, "theirs": task.theirs}, repetitions)
        count = int(task.alive.sum())
        exact = interleaved({"ours": task.exact, "theirs": task.their_columns}, 1, warm_up=0)
    what = f"of LeNet5, {count:,} live coordinates, {size.images:,} images"
    columns = exact["theirs"] * count / size.columns
    return [
        Row(what=f"top {TOP} {what}", ours=seconds["ours"], peer=seconds["theirs"], kind="share", target=TARGET),
        Row(what=f"all {what}", ours=exact["ours"], peer=columns, kind="speed-up", target=TARGET_EXACT),
    ]


def report(found: dict[str, Tensor]) -> None:
    for name, values in found.items():
        missed = int((~torch.isclose(values.double(), found["exact"], rtol=TOLERANCE)).sum())
        print(f"softmax regression at zero, {name}: {spelled(values)}; {missed} wrong")


def spelled(values: Tensor) -> str:
    return ", ".join(f"{value:.4f}" for value in values.tolist())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hessian", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="measured turns; default: %(default)s")
    parser.add_argument("--images", type=int, default=Size.images, help="default: %(default)s")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    print(table(measure(chosen.repetitions, Size(images=chosen.images))))


if __name__ == "__main__":
    main()
