"""`kvcs driver`: what git calls, and no person."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable

import click

# git passes any path; none of them is an option of these commands.
_ANYTHING = {"ignore_unknown_options": True, "help_option_names": []}


@click.group(hidden=True)
def driver() -> None:
    """Show models and tensors in the output of git; `docs/git.md` tells how to set it up."""


def _arguments(function: Callable[..., None]) -> click.Command:
    take = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    return driver.command(context_settings=_ANYTHING)(take(function))


@_arguments
def model(arguments: tuple[str, ...]) -> None:
    """Show what changed in a model: the arguments are those of an external diff driver."""
    from kvcs.commands.drivers import model as driver

    call = driver.parse(arguments)
    if call is None:
        _write(b"* Unmerged path " + os.fsencode(arguments[0]) + b"\n")
    else:
        _write(driver.shown(call, colour=_colour(), ascii=_ascii()))


@_arguments
def npy(arguments: tuple[str, ...]) -> None:
    """Describe a tensor: the argument is a file."""
    from kvcs.commands.drivers.npy import described

    _write("".join(f"{line}\n" for line in described(arguments[0])).encode())


@_arguments
def tool(arguments: tuple[str, ...]) -> None:
    """Show what changed between two files, for `git difftool`: LOCAL, REMOTE, MERGED."""
    from kvcs.commands.drivers import model as driver

    for call in driver.tool(*arguments):
        _write(driver.shown(call, colour=_colour(), ascii=_ascii()))


def _colour() -> bool:
    from kvcs.repo.textual import wants_colour

    return wants_colour(terminal=os.isatty(sys.stdout.fileno()))


def _ascii() -> bool:
    try:
        "→≠↕".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return True
    return False


def _write(output: bytes) -> None:
    """Write all at once, so that nothing is half shown where the driver fails before."""
    with contextlib.suppress(BrokenPipeError):  # the pager was left: nobody is there to read
        while output:
            output = output[os.write(sys.stdout.fileno(), output) :]
