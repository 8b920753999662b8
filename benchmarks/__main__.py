"""All benchmarks, one table."""

import argparse

import torch

from benchmarks import attack, hardness, overhead, rewire, upkeep
from benchmarks.timing import machine, table

PROGRAMS = (upkeep, rewire, overhead, hardness, attack)  # beside imagecorruptions: python -m benchmarks.corrupt


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repetitions", type=int, help="measured turns of each; default: each program's own")
    turns = parser.parse_args().repetitions
    torch.set_num_threads(1)
    rows = [row for program in PROGRAMS for row in (program.measure(turns) if turns else program.measure())]
    print(f"\n{machine()}\n{table(rows)}")


if __name__ == "__main__":
    main()
