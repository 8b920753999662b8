"""A check of settings that several attacks share."""

from gossamer.core.errors import SettingError


def check_share(name: str, share: float) -> None:
    """Check a setting that is a share of something.

    Args:
        name: of the setting.
        share: its value.

    Raises:
        SettingError: if it is outside of (0, 1].
    """
    if not 0 < share <= 1:
        raise SettingError(f"expected {name} in (0, 1], got {share!r}; leave it out for the paper's")
