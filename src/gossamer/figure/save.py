"""How figures are written: PNG and SVG, the same bytes for the same figure."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG.

    Args:
        figure: what to write.
        stem: path without ending; its folder is made.

    Returns:
        The two files.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{ending}") for ending in ("png", "svg")]  # a stem may have dots of its own
    with mpl.rc_context({"svg.hashsalt": "gossamer", "svg.fonttype": "none"}):
        figure.savefig(paths[0], dpi=200, metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Date": None})
    return paths
