"""The program itself: a command called, errors turned into a line, an exit code out."""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import NoReturn

import click

from kvcs.cli.group import main
from kvcs.cli.output import complain
from kvcs.errors import KvcsError


def run() -> NoReturn:
    """Run the command line and exit."""
    # TensorFlow prints pages of notices unless it is told not to before it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # A model is a tree of some hundred thousand values, none of them garbage: to look through them
    # again and again for cycles takes a tenth of the time of a comparison.
    gc.set_threshold(100_000)
    _open_streams()
    try:
        sys.exit(main(prog_name="kvcs", standalone_mode=False))
    except KvcsError as error:
        _fail(str(error))
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "kvcs"
        _fail(f"{error.format_message().rstrip('.')}; see `{command} --help`")
    except (click.Abort, KeyboardInterrupt):
        click.echo("kvcs: interrupted", err=True)
        sys.exit(130)
    except Exception:
        sys.excepthook(*sys.exc_info())
        sys.exit(2)


def _fail(sentence: str) -> NoReturn:
    complain(sentence)
    sys.exit(2)


def _open_streams() -> None:
    """Make stdin, stdout and stderr usable whatever the caller did to them."""
    # Where one is closed (`2>&-`), the next file to be opened, such as a tensor's, would take its
    # place, and get what libraries print.
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may hold what its encoding does not
        sys.stdout.reconfigure(errors="backslashreplace")
