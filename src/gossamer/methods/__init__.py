"""One short file per method."""
