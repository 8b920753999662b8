"""The common corruptions batched: images in, images out; constants by image size, one picture a seed.

``corrupt`` makes pictures, ``corrupt_training`` whole training and test sets (P1), ``write_corrupted`` and
``read_corrupted`` the official layouts on disk, ``robustness`` and ``robustness_of_set`` a model's accuracy on them.
"""

from gossamer.corrupt.apply import corrupt
from gossamer.corrupt.families import FAMILIES
from gossamer.corrupt.frost import frost_source
from gossamer.corrupt.layouts import CorruptedSet, read_corrupted
from gossamer.corrupt.recipe import SEVERITIES
from gossamer.corrupt.result import Robustness
from gossamer.corrupt.robustness import robustness, robustness_of_set
from gossamer.corrupt.table import CORRUPTIONS, STANDARD
from gossamer.corrupt.training import P1_KINDS, corrupt_training
from gossamer.corrupt.written import write_corrupted

__all__ = [
    "CORRUPTIONS",
    "FAMILIES",
    "P1_KINDS",
    "SEVERITIES",
    "STANDARD",
    "CorruptedSet",
    "Robustness",
    "corrupt",
    "corrupt_training",
    "frost_source",
    "read_corrupted",
    "robustness",
    "robustness_of_set",
    "write_corrupted",
]
