"""Commands about the past of models: `kvcs log`, `kvcs find` and `kvcs blame`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kvcs.cli.options import json_option
from kvcs.cli.output import present, print_json, say
from kvcs.errors import KvcsError

if TYPE_CHECKING:
    from kvcs.commands.log import Log


@click.command()
@click.argument("operands", nargs=-1, required=True, metavar="[REV]... DIR")
@click.option("-n", "--max-count", type=int, metavar="N", help="The newest N versions alone.")
@click.option("--since", default="", metavar="DATE", help="Versions after DATE, as git reads it.")
@click.option("--until", default="", metavar="DATE", help="Versions before DATE.")
@click.option("--reverse", is_flag=True, help="The oldest version first.")
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.png",
    help="Draw the metrics over the versions, instead of a table.",
)
@click.option(
    "--metric", "metrics", multiple=True, metavar="NAME", help="With --plot: this metric alone."
)
@json_option
def log(
    operands: tuple[str, ...],
    max_count: int | None,
    since: str,
    until: str,
    reverse: bool,
    plot: Path | None,
    metrics: tuple[str, ...],
    as_json: bool,
) -> None:
    """List the versions of the model in DIR: what changed in each, and its metrics.

    REV is where to begin (default: HEAD), or a range A..B; REV:DIR is REV DIR, from the root of
    the repository. DIR need not be there any more. Where a commit renamed it, its versions under
    the old name follow.
    """
    from kvcs.commands.log import log as run_log

    if metrics and not plot:
        raise KvcsError("--metric says what --plot draws: give both")
    *revisions, directory = operands
    found = run_log(directory, revisions, limit=max_count, since=since, until=until)
    if plot is not None:
        _draw(found, plot, metrics)
    elif as_json:
        document = found.to_dict()
        print_json(document | {"versions": document["versions"][:: -1 if reverse else 1]})
    else:
        from kvcs.render import history

        present(history.log(found, reverse=reverse))


def _draw(found: Log, file: Path, metrics: tuple[str, ...]) -> None:
    from kvcs.render.plot import picture

    known = sorted({name for entry in found for name in entry.metrics})
    if not known:
        raise KvcsError(
            f"no version of {found.path or '.'} has a metric: `kvcs commit --metric NAME=VALUE` "
            "keeps one"
        )
    for name in metrics:
        if name not in known:
            raise KvcsError(f"no version has a metric {name!r}: there are {', '.join(known)}")
    if file.suffix.lower() != ".png":
        raise KvcsError(f"--plot writes a PNG: {file} should end in .png")
    drawn = picture(found.entries[::-1], list(dict.fromkeys(metrics)) or known)
    try:
        file.write_bytes(drawn)
    except OSError as error:
        raise KvcsError(f"{file} cannot be written: {error.strerror}") from error
    say(f"wrote {file}")
