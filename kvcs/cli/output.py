"""What the command line prints, and how an output that takes no more is met."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kvcs.errors import KvcsError

if TYPE_CHECKING:
    from rich.console import RenderableType


COMMAND_IN_JSON = "#\\u0023["  # means the same to who reads the JSON, and nothing to a runner
# What a runner of GitHub takes for a command: a line that begins with `::`, or `##[` anywhere.
_COMMAND = re.compile(r"^\s*::|##(?=\[)", re.MULTILINE)


def present(what: RenderableType, color: str = "auto") -> None:
    """Print what `kvcs.render` laid out. Lines outside of tables are not broken, for copying."""
    from kvcs.render import text

    console = text.console(color=color)
    with _printing():
        if not _is_obeyed():
            console.print(what, soft_wrap=True)
            return
        with console.capture() as captured:
            console.print(what, soft_wrap=True)
        click.echo(_disarmed(captured.get()), nl=False)


def print_json(value: Any) -> None:
    """Print a value for programs."""
    deliver(json_text(value), None)


def json_text(value: Any) -> str:
    """Return a value as JSON for programs."""
    import json

    text = json.dumps(value, indent=2, sort_keys=True, default=str)
    return f"{text.replace('##[', COMMAND_IN_JSON)}\n"


def say(line: str) -> None:
    """Print a line."""
    with _printing():
        click.echo(_disarmed(line))


def command(line: str) -> None:
    """Print a command to a pipeline of GitHub, as it is."""
    with _printing():
        click.echo(line)


def _is_obeyed() -> bool:
    """Tell whether a pipeline of GitHub reads what is printed, and does what it finds there."""
    return bool(os.environ.get("GITHUB_ACTIONS"))


def _disarmed(text: str) -> str:
    """Return text in which a runner of GitHub finds no command; anywhere else, as it is.

    A name could forge an annotation, mask words in the log, or stop all commands that follow.
    """
    if not _is_obeyed():
        return text
    return _COMMAND.sub(lambda found: f"{found[0][:-1]}\\x{ord(found[0][-1]):02x}", text)


def check_output(file: Path | None, form: str) -> None:
    """Refuse to write what is laid out for a terminal."""
    if file is not None and form == "text":
        raise KvcsError(f"-o writes a document: add --format html, and {file} is a page")


def deliver(text: str, file: Path | None) -> None:
    """Print a document as it is, or write it to a file and say so."""
    if file is None:
        with _printing():
            click.echo(_disarmed(text), nl=False)
        return
    write(file, text)
    say(f"wrote {file}")


def write(file: Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        KvcsError: it cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        if file.exists() and not file.is_file():  # such as /dev/null
            file.write_bytes(data)
        else:
            _replace(file.resolve(), data)
    except OSError as error:
        raise KvcsError(f"could not write {file}: {error.strerror or error}") from error


def _replace(file: Path, data: bytes) -> None:
    beside = file.with_name(f".kvcs-page-{os.getpid()}.tmp")  # a name of ours may be too long
    try:
        beside.write_bytes(data)
        beside.replace(file)
    finally:
        with suppress(OSError):
            beside.unlink()


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
    click.echo(_disarmed(f"kvcs: {plain(line)}"), err=True)
