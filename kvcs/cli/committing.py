"""`kvcs commit`."""

from __future__ import annotations

from pathlib import Path

import click

from kvcs.cli.options import json_option
from kvcs.cli.output import print_json, say
from kvcs.errors import KvcsError


@click.command()
@click.argument("directories", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@click.option("-m", "--message", required=True, metavar="MSG", help="The commit message.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME=VALUE",
    help="A number to keep with the commit, as a trailer. May be repeated.",
)
@json_option
def commit(
    directories: tuple[Path, ...], message: str, metrics: tuple[str, ...], as_json: bool
) -> None:
    """Commit model directories, and nothing else; without DIR, every model of the repository."""
    from kvcs.commands.commit import commit_directories

    found = commit_directories(directories, message, _metrics(metrics))
    if as_json:
        print_json({"commit": found})
    elif found is None:
        say("nothing to commit: no model changed")
    else:
        say(f"committed {found}")


def _metrics(given: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in given:
        name, _, value = metric.partition("=")
        if name in found:
            raise KvcsError(f"--metric {name} is given twice; a commit has one value of a metric")
        try:
            found[name] = float(value)
        except ValueError:
            raise KvcsError(f"--metric wants NAME=VALUE with a number, not {metric!r}") from None
    return found
