"""Corruption of 32-pixel images beside imagecorruptions: every kind and severity in turn, one thread; peak memory.

``imagecorruptions`` takes one image at a time and knows the constants for 224 pixels only; ours take those of the
images' size, or with ``--family imagenet-c`` the same as the other's. It is not needed for anything else.
"""

import argparse
import re
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import Row, machine, table
from gossamer.corrupt import STANDARD, corrupt

TARGET = 12.0  # of all kinds together
EACH = 1.0
SEVERITIES = range(1, 6)
TURN = 200  # images a turn
INSTALL = "imagecorruptions cannot be imported here: pip install imagecorruptions-imaug, with all it depends on"
MEBI = 2**20

Peer = Callable[..., Any]  # (image uint8 (H, W, C), corruption_name=, severity=) -> the same


@dataclass(frozen=True)
class Work:
    """What is measured: so many images of a size, of these kinds."""

    images: int = TURN
    size: int = 32
    family: str | None = None
    kinds: Sequence[str] = STANDARD


def pictures(count: int, size: int, seed: int = 0) -> Tensor:
    """Smooth random pictures with some noise, uint8 (count, 3, size, size); a hundred different ones."""
    stream = torch.Generator().manual_seed(seed)
    coarse = torch.rand(min(count, 100), 3, 8, 8, generator=stream)
    smooth = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear")
    noisy = (255 * smooth + 8 * torch.randn(smooth.shape, generator=stream)).clamp(0, 255).to(torch.uint8)
    return noisy.repeat(-(-count // len(noisy)), 1, 1, 1)[:count]


def find_peer() -> Peer:
    """The other's function; tells how to get it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports warn
            from imagecorruptions import corrupt as peer
    except ImportError as error:  # also where it was installed without what it depends on, for its photographs
        raise SystemExit(f"{INSTALL} ({error})") from None
    return peer


def measure(work: Work = Work(), peer: Peer | None = None) -> list[Row]:
    """A row a kind, and the total, by the processor's time, which other programs lengthen less than the clock's.

    What is built once, tables of ours and compiled loops of the other, is built before.
    """
    peer = peer or find_peer()
    images = pictures(work.images, work.size)
    rows = [_row(name, images, work.family, peer) for name in work.kinds]
    what = f"{len(rows)} kinds x {len(SEVERITIES)} severities"
    ours, theirs = (sum(getattr(row, side) for row in rows) for side in ("ours", "peer"))
    return [*rows, Row(what=what, ours=ours, peer=theirs, kind="speed-up", target=TARGET)]


def _row(name: str, images: Tensor, family: str | None, peer: Peer) -> Row:
    arrays = [np.ascontiguousarray(image) for image in images.permute(0, 2, 3, 1).numpy()]
    seconds = [0.0, 0.0]
    for severity in SEVERITIES:
        corrupt(images[:1], name, severity, family=family)
        _each(peer, arrays[:1], name, severity)
        for first in range(0, len(images), TURN):
            turn = slice(first, first + TURN)
            start = process_time()
            corrupt(images[turn], name, severity, family=family, index=range(first, first + len(images[turn])))
            middle = process_time()
            _each(peer, arrays[turn], name, severity)
            seconds = [seconds[0] + middle - start, seconds[1] + process_time() - middle]
    return Row(what=name, ours=seconds[0], peer=seconds[1], kind="speed-up", target=EACH)


def _each(peer: Peer, arrays: Sequence[np.ndarray[Any, Any]], name: str, severity: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for array in arrays:
            peer(array, corruption_name=name, severity=severity)


def peak(count: int, size: int) -> tuple[float, float]:
    """Mebibytes of this process: of the images in and out, and the most it ever held."""
    images = pictures(count, size)
    for name in STANDARD:
        corrupt(images, name, 5)
    return 2 * images.numel() / MEBI, most_held() / MEBI


def most_held() -> int:
    """Bytes this process has held at most."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what the process that started this one held then
        return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peaks(counts: Sequence[int], size: int) -> list[str]:
    """A line for each number of images, each from a fresh process that runs only ours."""
    command = [sys.executable, "-m", "benchmarks.corrupt", "--size", str(size), "--peak"]
    done = (subprocess.run([*command, str(count)], capture_output=True, text=True, check=True) for count in counts)
    return [one.stdout.strip() for one in done]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corrupt", description=__doc__)
    parser.add_argument("--images", type=int, default=TURN, help="of each kind and severity; default: %(default)s")
    parser.add_argument("--size", type=int, default=32, help="pixels of a side; default: %(default)s")
    parser.add_argument("--family", help="constants of ours; default: those of the size")
    parser.add_argument("--memory", type=int, nargs="*", metavar="N", help="peak memory of N images each, nothing else")
    parser.add_argument("--peak", type=int, metavar="N", help="peak memory of this process for N images")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.peak is not None:
        held, most = peak(chosen.peak, chosen.size)
        print(f"{chosen.peak:>8,} images: {held:8,.0f} MiB in and out, peak {most:8,.0f} MiB")
        return
    print(machine())
    if chosen.memory is None:
        print(table(measure(Work(chosen.images, chosen.size, chosen.family))))
    print("\n".join(peaks(chosen.memory or (1, 1_000, 10_000, 50_000), chosen.size)))


if __name__ == "__main__":
    main()
