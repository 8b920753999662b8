"""Which frequencies of its images a network needs, and which its filters pass."""

from gossamer.analyze.frequency.filters import FilterSpectra, filter_spectra
from gossamer.analyze.frequency.fourier import attenuate
from gossamer.analyze.frequency.heat_map import HeatMap, fourier_heat_map
from gossamer.analyze.frequency.radius import RadiusAccuracy, radius_accuracy

__all__ = [
    "FilterSpectra",
    "HeatMap",
    "RadiusAccuracy",
    "attenuate",
    "filter_spectra",
    "fourier_heat_map",
    "radius_accuracy",
]
