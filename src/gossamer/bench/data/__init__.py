"""Data sets, found on disk and checked."""
