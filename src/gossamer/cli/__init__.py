"""The command line, ``gossamer``: train, compare, score, corrupt, evaluate, quickstart, methods, models, data."""

from gossamer.cli import training  # noqa: I001  # commands are listed in this order
from gossamer.cli import hard, lists
from gossamer.cli.app import app, main

__all__ = ["app", "hard", "lists", "main", "training"]
