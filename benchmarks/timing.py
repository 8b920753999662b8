"""What the benchmarks share: interleaved clocks, a row per comparison, one table."""

import argparse
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import torch


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: median seconds of ours and of its peer, and the number that has a target.

    ``share``: ours / peer, to lie below the target; ``overhead``: ours / peer - 1, likewise; ``speed-up``:
    peer / ours, to reach it.
    """

    what: str
    ours: float
    peer: float
    kind: Literal["share", "overhead", "speed-up"]
    target: float

    @property
    def value(self) -> float:
        """The number that has a target."""
        if self.kind == "speed-up":
            return self.peer / self.ours
        return self.ours / self.peer - (self.kind == "overhead")

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.value >= self.target if self.kind == "speed-up" else self.value < self.target

    def cells(self) -> tuple[str, ...]:
        """The row in words."""
        speed = self.kind == "speed-up"
        value = f"{self.value:.1f} times" if speed else f"{self.value:.2%}"
        target = f"≥ {self.target:g} times" if speed else f"< {self.target:.1%}"
        milliseconds = (f"{1000 * seconds:,.2f}" for seconds in (self.ours, self.peer))
        return (self.what, *milliseconds, self.kind, value, target, "yes" if self.met else "NO")


HEAD = ("what", "ours, ms", "peer, ms", "figure", "value", "target", "met")


def table(rows: Sequence[Row]) -> str:
    """All rows, columns aligned."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    texts = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([texts[0], "-" * len(texts[0]), *texts[1:]])


def interleaved(
    tasks: Mapping[str, Callable[[], object]], repetitions: int, device: str = "cpu", warm_up: int = 1
) -> dict[str, float]:
    """Median seconds of each task, all run in turn, A B B A, so that a busy moment of the machine meets all alike.

    Turned round each time, as a task pays for what the one before it has left in the caches.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for repetition in range(warm_up + repetitions):
        for name, task in list(tasks.items())[:: -1 if repetition % 2 else 1]:
            start = now(device)
            task()
            if repetition >= warm_up:
                seconds[name].append(now(device) - start)
    return {name: median(measured) for name, measured in seconds.items()}


def now(device: str) -> float:
    """The time in seconds, when the device has done all that it was told."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def machine(device: str = "cpu") -> str:
    """Where and with what it was measured."""
    place = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else cpu()
    return f"torch {torch.__version__}, Python {platform.python_version()}, {torch.get_num_threads()} thread, {place}"


def cpu() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def run(measure: Callable[..., list[Row]], description: str | None, *, devices: bool = False) -> None:
    """The command line of one program: on one thread, so that a second core's load does not count."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--repetitions", type=int, help="measured turns; default: the program's own")
    if devices:
        parser.add_argument("--device", help="cpu (default) or cuda")
    chosen = {name: value for name, value in vars(parser.parse_args()).items() if value is not None}
    torch.set_num_threads(1)
    print(machine(chosen.get("device", "cpu")))
    print(table(measure(**chosen)))
