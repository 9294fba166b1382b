"""What the command line prints, and how an output that takes no more is met."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from kvcs.errors import KvcsError

if TYPE_CHECKING:
    from rich.console import RenderableType


def present(what: RenderableType, color: str = "auto") -> None:
    """Print what `kvcs.render` laid out. Lines outside of tables are not broken, for copying."""
    from kvcs.render import text

    with _printing():
        text.console(color=color).print(what, soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value for programs."""
    import json

    say(json.dumps(value, indent=2, sort_keys=True, default=str))


def say(line: str) -> None:
    """Print a line as it is."""
    with _printing():
        click.echo(line)


@contextmanager
def _printing() -> Iterator[None]:
    """Tell an output that takes no more from what goes wrong in a command."""
    try:
        yield
    except OSError as error:
        # What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(141)  # the reader went away (`kvcs show … | head`): nobody is left to tell
        raise KvcsError(f"could not print all of the output: {error.strerror}") from error


def complain(sentence: str) -> None:
    """Say on stderr, in one line, what went wrong."""
    from kvcs.render.text import plain

    line = " ".join(part.strip() for part in sentence.splitlines())
    click.echo(f"kvcs: {plain(line)}", err=True)
