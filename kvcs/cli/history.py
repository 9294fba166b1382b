"""Commands about the past of models: `kvcs log`, `kvcs find` and `kvcs blame`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kvcs.cli.options import json_option, output_option, page_option
from kvcs.cli.output import (
    check_output,
    deliver,
    json_text,
    present,
    print_json,
    say,
    write,
)
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
@page_option
@output_option
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIRECTORY",
    help="With --format html: write a page for each version there, to which the page leads.",
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
    form: str,
    output: Path | None,
    reports: Path | None,
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
    form = "json" if as_json else form
    if plot and form == "html":
        raise KvcsError("--plot draws a picture, and a page has plots of its own: give one of them")
    check_output(output, form)
    if reports is not None and (form != "html" or output is None):
        raise KvcsError("--reports wants the page that leads to them: --format html -o FILE")
    *revisions, directory = operands
    found = run_log(directory, revisions, limit=max_count, since=since, until=until)
    if plot is not None:
        _draw(found, plot, metrics)
    elif form == "json":
        document = found.to_dict()
        versions = document["versions"][:: -1 if reverse else 1]
        deliver(json_text(document | {"versions": versions}), output)
    elif form == "html":
        _write_page(found, directory, output, reports, reverse)
    else:
        from kvcs.render import history

        present(history.log(found, reverse=reverse))


def _write_page(
    found: Log, operand: str, output: Path | None, reports: Path | None, reverse: bool
) -> None:
    from kvcs.commands.reports import links
    from kvcs.render.html import timeline_page

    linked = None
    if reports is not None and output is not None:
        linked = links(_write_reports(found, operand, reports), output)
    deliver(timeline_page(found, linked, reverse=reverse), output)


def _write_reports(found: Log, operand: str, directory: Path) -> dict[str, Path]:
    from kvcs.commands.reports import reports
    from kvcs.render.progress import weights_progress

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KvcsError(f"could not make {directory}: {error.strerror}") from error
    written = {}
    with weights_progress() as report:
        for commit, name, page in reports(found, operand, report=report):
            written[commit] = directory / name
            write(written[commit], page)
    say(f"wrote {len(written)} reports to {directory}")
    return written


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


@click.command()
@click.argument("model")
@click.argument("directory", required=False)
@click.option(
    "-n", "--max-count", type=int, metavar="N", help="At most N of the nearest (default: 5)."
)
@json_option
def find(model: str, directory: str | None, max_count: int | None, as_json: bool) -> None:
    """Find the revisions that hold exactly MODEL, such as a file that was deployed.

    Every model in every commit of the repository is looked at, or those below DIRECTORY. Where
    none has the same architecture and weights, those are named that share most weights with it,
    by bytes. Exits with 0 when MODEL is found, and with 1 when it is not.
    """
    from kvcs.commands.find import NEAREST
    from kvcs.commands.find import find as run_find

    found = run_find(model, directory, nearest=NEAREST if max_count is None else max_count)
    if as_json:
        print_json(found.to_dict())
    else:
        from kvcs.render import find as render

        present(render.found(found))
    sys.exit(0 if found else 1)


@click.command()
@click.argument("operands", nargs=-1, required=True, metavar="[REV] DIR")
@json_option
def blame(operands: tuple[str, ...], as_json: bool) -> None:
    """Show for each layer of DIR the versions that last changed its place, config and weights.

    A layer is followed through other names and numbers, as `kvcs diff` pairs layers. REV is the
    revision whose layers are meant (default: HEAD); REV:DIR is REV DIR, from the root of the
    repository.
    """
    from kvcs.commands.blame import blame as run_blame

    *revisions, directory = operands
    if len(revisions) > 1:
        raise KvcsError(f"expected one revision and a directory, got {len(operands)} operands")
    found = run_blame(directory, *revisions)
    if as_json:
        print_json(found.to_dict())
    else:
        from kvcs.render import blame as render

        present(render.blame(found))
