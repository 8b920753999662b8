"""Whose checkpoint it is: one of another run is refused, with what differs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gossamer.bench.spec import RunSpec
from gossamer.core.errors import DataError, StateError

STATE = {"spec", "round", "lines", "past", "seconds", "training"}  # what a checkpoint holds


def check_own(state: Mapping[str, Any], spec: RunSpec, place: Path) -> None:
    """Refuse a checkpoint that is not this run's.

    Args:
        state: what was read.
        spec: the run that would go on from it.
        place: the file, for the message.

    Raises:
        DataError: it holds something else than a run's state.
        StateError: it is another run's; the message says in what they differ.
    """
    if not set(state) >= STATE:
        raise DataError(
            f"expected a checkpoint in {place}, got something else; move it away and rerun: the run starts again"
        )
    theirs, own = _flat(json.loads(state["spec"])), _flat(json.loads(words(spec)))
    odd = {name: theirs.get(name) for name in {**own, **theirs} if theirs.get(name) != own.get(name)}
    if odd:
        told = ", ".join(f"{name}={value}" for name, value in odd.items())
        raise StateError(
            f"expected a checkpoint of this {next(iter(odd))} in {place}, got one of another run: {told}; move it "
            "away and rerun: the run starts again"
        )


def words(spec: RunSpec) -> str:
    """A spec as a checkpoint keeps it: every resolved field, as JSON."""
    return json.dumps(spec.resolved())


def _flat(spec: Mapping[str, Any]) -> dict[str, Any]:
    """A spec's fields without nesting, what a reader would look at first standing first."""
    first = {"model": spec["model"], "method": spec["recipe"], "sparsity": spec["sparsity"], "seed": spec["seed"]}
    rest = {name: value for name, value in spec.items() if name not in ("data", "recipe", "settings", "train")}
    return {**first, **spec["settings"], **spec["train"], **rest}
