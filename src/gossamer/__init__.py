"""gossamer trains sparse neural networks from scratch, and tells you honestly when they beat dense ones.

Two lines in a loop of your own::

    sparsifier = Sparsifier(RigL(sparsity=0.9, total_steps=100_000), model, optimizer, seed=0)
    ...
        loss.backward()
        sparsifier.step()  # dense gradients in, masked gradients out; rewires when due
        optimizer.step()
"""

from gossamer._version import __version__
from gossamer.core import distribution, initialize, masks, rewire, schedule
from gossamer.core.ema import SparseEMA
from gossamer.core.errors import UserError
from gossamer.core.masks import LayerCollapseWarning, Masks
from gossamer.core.method import CLEAN, P1_RELEASED, RIGL_RELEASED, Deviations, Method, SparseMethod
from gossamer.core.named import select
from gossamer.core.newborn import Newborn
from gossamer.core.pattern import NM
from gossamer.core.report import Report
from gossamer.core.sparsifier import Sparsifier
from gossamer.methods import (
    AT_INIT,
    GMP,
    MEST,
    METHODS,
    SET,
    DropAndGrow,
    GraNet,
    Random,
    RigL,
    RigLInverted,
    Static,
    Uniform,
)

__all__ = [
    "AT_INIT",
    "CLEAN",
    "GMP",
    "MEST",
    "METHODS",
    "NM",
    "P1_RELEASED",
    "RIGL_RELEASED",
    "SET",
    "Deviations",
    "DropAndGrow",
    "GraNet",
    "LayerCollapseWarning",
    "Masks",
    "Method",
    "Newborn",
    "Random",
    "Report",
    "RigL",
    "RigLInverted",
    "SparseEMA",
    "SparseMethod",
    "Sparsifier",
    "Static",
    "Uniform",
    "UserError",
    "__version__",
    "distribution",
    "initialize",
    "masks",
    "rewire",
    "schedule",
    "select",
]
