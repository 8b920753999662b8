"""What a trained network is tried on, and the numbers found so far."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gossamer.bench.adversarial import evaluation_attack
from gossamer.bench.difficulty import Corrupted
from gossamer.bench.store import RunFolder
from gossamer.bench.subject import Subject
from gossamer.core.errors import SettingError


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a network is tried on.

    Args:
        corrupted: kinds, family, frost and seed of corruptions in memory; None is none.
        severities: of them; None is 1 to 5, or all that the folder has.
        folder: a corrupted set on the disk, instead; the kinds of ``corrupted`` are then those taken from it.
        attacks: in words, as ``gossamer.attack.named`` reads them.
        images: how many test images are attacked, the first ones; None is all.
        batch_size: images at once.
        seed: of what attacks draw; corruptions have their own.

    Raises:
        SettingError: nothing to try it on, or an attack that cannot evaluate.
        UnknownNameError: no such attack.

    Example:
        >>> Trial(attacks=("fgsm",)).severities is None
        True
    """

    corrupted: Corrupted | None = None
    severities: tuple[int, ...] | None = None
    folder: Path | None = None
    attacks: tuple[str, ...] = ()
    images: int | None = None
    batch_size: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse before hours of measuring what could not be measured."""
        if self.corrupted is None and self.folder is None and not self.attacks:
            raise SettingError("expected something to try the network on: --corruptions, --corrupted-set or --attack")
        for text in self.attacks:
            evaluation_attack(text)


class Record:
    """The numbers found so far, in a file beside the weights; of other weights they are forgotten.

    Args:
        subject: whose numbers.
    """

    def __init__(self, subject: Subject) -> None:
        self.name = f"{subject.place.stem}.evaluation.json"
        self.folder = RunFolder(subject.place.parent)
        whose = {"weights": subject.digest, "data": subject.data.fingerprint}
        kept = self.folder.read_json(self.name)
        own = isinstance(kept, dict) and "found" in kept and whose.items() <= kept.items()
        self.content: dict[str, Any] = kept if own else {**whose, "found": {}}

    def get(self, key: str) -> Any:
        """What was found under this key, None if nothing."""
        return self.content["found"].get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep it, on the disk."""
        self.content["found"][key] = value
        self.folder.write(self.name, json.dumps(self.content, indent=1).encode())
