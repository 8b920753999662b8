"""How a corrupted set on disk was made."""

import json
from pathlib import Path
from typing import Any

from gossamer.core.errors import DataError

PROVENANCE = "set.json"  # only ``write_corrupted`` writes one


def read_provenance(path: Path) -> dict[str, Any] | None:
    """How a set was made, None if nothing says.

    Args:
        path: the set's folder.

    Returns:
        The content of ``set.json``.

    Raises:
        DataError: it is damaged.
    """
    file = path / PROVENANCE
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise DataError(f"{file}: expected JSON, got something else ({error}); write the set anew") from None
    if not isinstance(content, dict) or not {"kinds", "severities", "classes", "quality"} <= set(content):
        raise DataError(f"{file}: expected kinds, severities, classes and quality of a set in it; write the set anew")
    return content
