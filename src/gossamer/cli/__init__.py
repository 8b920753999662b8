"""The command line, ``gossamer``: one file a group of commands."""

from gossamer.cli import training  # noqa: I001  # commands are listed in this order
from gossamer.cli import hard, analyze, reproduce, lists
from gossamer.cli.app import app, main

__all__ = ["analyze", "app", "hard", "lists", "main", "reproduce", "training"]
