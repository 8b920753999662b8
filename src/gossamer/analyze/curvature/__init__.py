"""How the loss bends in the live coordinates of a sparse network."""

from gossamer.analyze.curvature.eigen import Eigenpairs, eigenvalues
from gossamer.analyze.curvature.exact_spectrum import ExactHessian, exact_hessian
from gossamer.analyze.curvature.hessian import HessianOperator, hessian
from gossamer.analyze.curvature.hutchinson import TraceEstimate, hessian_trace
from gossamer.analyze.curvature.lanczos import SpectralDensity, spectral_density
from gossamer.analyze.curvature.summary import EigenvalueSummary, summarize_eigenvalues

__all__ = [
    "Eigenpairs",
    "EigenvalueSummary",
    "ExactHessian",
    "HessianOperator",
    "SpectralDensity",
    "TraceEstimate",
    "eigenvalues",
    "exact_hessian",
    "hessian",
    "hessian_trace",
    "spectral_density",
    "summarize_eigenvalues",
]
