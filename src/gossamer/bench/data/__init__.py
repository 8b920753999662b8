"""Data sets, found on disk and checked; batches and augmentation that any step can be re-entered at."""

from gossamer.bench.data.augment import PRESETS, Augment, Crop, Flip, Rotate
from gossamer.bench.data.batches import batches, hold_out, seeded, subset
from gossamer.bench.data.catalogue import DATASETS
from gossamer.bench.data.dataset import Dataset
from gossamer.bench.data.loading import Availability, available, download, load

__all__ = [
    "DATASETS",
    "PRESETS",
    "Augment",
    "Availability",
    "Crop",
    "Dataset",
    "Flip",
    "Rotate",
    "available",
    "batches",
    "download",
    "hold_out",
    "load",
    "seeded",
    "subset",
]
