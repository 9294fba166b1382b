"""`kvcs diff`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from kvcs.cli.output import complain, present, print_json
from kvcs.errors import KvcsError

if TYPE_CHECKING:
    from kvcs.commands.diff import Comparison
    from kvcs.commands.versions import Versions


@click.command()
@click.argument("operands", nargs=-1, metavar="[A [B]]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="For a person (default), or for programs.",
)
@click.option("--stat", is_flag=True, help="Print the kinds of changes of each layer.")
@click.option("--name-only", is_flag=True, help="Print the paths of changed layers.")
@click.option("--no-stats", is_flag=True, help="Do not read weights that changed.")
@click.option(
    "--map",
    "hints",
    multiple=True,
    metavar="OLD=NEW",
    help="Layer OLD of A is layer NEW of B. May be repeated.",
)
@click.option("--ascii", "as_ascii", is_flag=True, help="Print nothing but ASCII.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the models differ.")
def diff(
    operands: tuple[str, ...],
    form: str,
    stat: bool,
    name_only: bool,
    no_stats: bool,
    hints: tuple[str, ...],
    as_ascii: bool,
    exit_code: bool,
) -> None:
    """Show what changed from MODEL A to MODEL B: layers, connections, settings, weights.

    A and B can be revisions, as for `git diff`: then every model of the repository is compared.
    A..B is the same as A B, A...B begins at their merge base, A alone ends at the working tree,
    and nothing at all begins at HEAD. One MODEL is compared with HEAD, or with what it is now.
    """
    from kvcs.commands.versions import is_model, versions

    options = {"map": _hints(hints), "stats": not (no_stats or stat or name_only)}
    found, errors = _compared(versions(operands), options)
    if form == "json":
        documents = [_document(each, comparison) for each, comparison in found]
        alone = len(operands) == 2 and any(map(is_model, operands))
        print_json(documents[0]["diff"] if alone and documents else documents)
    else:
        layout = "names" if name_only else "stat" if stat else "lines"
        _print_diffs(found, layout, as_ascii)
    for sentence in errors:
        complain(sentence)
    differ = any(comparison is None or comparison for _, comparison in found)
    sys.exit(2 if errors else 1 if exit_code and differ else 0)


def _compared(
    versions: list[Versions], options: dict[str, Any]
) -> tuple[list[tuple[Versions, Comparison | None]], list[str]]:
    """Compare all that can be compared; None is the comparison of what one side lacks."""
    from kvcs.commands.diff import diff as run_diff

    found: list[tuple[Versions, Comparison | None]] = []
    errors = []
    for each in versions:
        if each.old is None or each.new is None:
            found.append((each, None))
            continue
        try:
            found.append((each, run_diff(each.old, each.new, **options)))
        except KvcsError as error:  # must not hide what changed in the others
            errors.append(str(error))
    return found, errors


def _document(versions: Versions, comparison: Comparison | None) -> dict[str, Any]:
    found = None if comparison is None else comparison.to_dict()
    return {**asdict(versions), "diff": found}


def _print_diffs(
    found: list[tuple[Versions, Comparison | None]], layout: str, as_ascii: bool
) -> None:
    from kvcs.render import diff as render

    for versions, comparison in found:
        if len(found) > 1 and comparison is not None and not comparison.diff.changes:
            continue  # as git diff, which is silent about what is the same
        if comparison is None:
            present(render.one_sided(versions.name, versions.old, versions.new, ascii=as_ascii))
            continue
        names = comparison.old_name, comparison.new_name
        for line in getattr(render, layout)(comparison.diff, *names, ascii=as_ascii):
            present(line)


def _hints(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for hint in given:
        old, mark, new = hint.partition("=")
        if not (old and mark and new):
            raise KvcsError(f"--map wants OLD=NEW with paths of layers, not {hint!r}")
        if old in found:
            raise KvcsError(f"--map {old} is given twice; a layer has one partner")
        found[old] = new
    return found
