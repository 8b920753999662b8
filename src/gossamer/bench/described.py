"""A run's description read back from its folder."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from gossamer.bench.spec import SCHEMA, RunSpec
from gossamer.bench.store import RunFolder
from gossamer.core.errors import DataError, MissingError

WRITTEN_BESIDES = ("schema", "frost", "attacks")  # what `resolved` adds to the fields


def described(folder: RunFolder) -> RunSpec:
    """The description of the run in a folder, finished or not.

    Args:
        folder: of the run.

    Returns:
        The spec, whose key is the folder's name as long as nobody renamed it.

    Raises:
        MissingError: no run is there.
        DataError: it was written by another version, or is no description.
    """
    content = folder.read_json("spec.json")
    if content is None:
        raise MissingError(f"expected the folder of a run with its spec.json, got {folder.path}; name such a folder")
    where = folder.path / "spec.json"
    if not isinstance(content, dict) or "schema" not in content:
        raise DataError(f"{where}: expected a run's description, got something else; name the folder of a run")
    if content["schema"] != SCHEMA:
        raise DataError(
            f"{where}: expected a description of schema {SCHEMA}, got {content['schema']}: another version of gossamer "
            "wrote it; train the run again with this one, or analyze it with that one"
        )
    try:
        return TypeAdapter(RunSpec).validate_python(_fields(content))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{where}: expected a run's description, but {name}: {first['msg']}") from None


def _fields(content: dict[str, Any]) -> dict[str, Any]:
    """The fields of a spec, those of the run it stems from as well."""
    own = {name: value for name, value in content.items() if name not in WRITTEN_BESIDES}
    if own.get("origin") is not None:
        own["origin"] = {**own["origin"], "run": _fields(own["origin"]["run"])}
    return own
