"""The networks of the papers, by name."""

from gossamer.bench.models.build import build
from gossamer.bench.models.describe import Summary, describe
from gossamer.bench.models.families import MODELS, Family
from gossamer.bench.models.normalize import Normalize
from gossamer.bench.models.small_dense import small_dense, small_dense_width

__all__ = ["MODELS", "Family", "Normalize", "Summary", "build", "describe", "small_dense", "small_dense_width"]
