"""Every method of sparse training, one short file each.

``METHODS`` holds those that a sparsifier drives step by step; ``AT_INIT`` the functions that choose masks before
training, to be driven by ``Static``.
"""

from gossamer.methods.at_init import AT_INIT
from gossamer.methods.drop_and_grow import DropAndGrow
from gossamer.methods.gmp import GMP
from gossamer.methods.granet import GraNet
from gossamer.methods.mest import MEST
from gossamer.methods.rigl import RigL, RigLInverted
from gossamer.methods.set import SET
from gossamer.methods.started import Started
from gossamer.methods.static import Random, Static, Uniform
from gossamer.methods.tickets import LTH, prune

METHODS: dict[str, type] = {
    "random": Random,
    "uniform": Uniform,
    "static": Static,
    "set": SET,
    "rigl": RigL,
    "rigl_inverted": RigLInverted,
    "mest": MEST,
    "granet": GraNet,
    "gmp": GMP,
}

__all__ = [
    "AT_INIT",
    "GMP",
    "LTH",
    "MEST",
    "METHODS",
    "SET",
    "DropAndGrow",
    "GraNet",
    "Random",
    "RigL",
    "RigLInverted",
    "Started",
    "Static",
    "Uniform",
    "prune",
]
