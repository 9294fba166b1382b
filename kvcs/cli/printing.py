"""What `kvcs diff` found, printed: as JSON, Markdown or text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kvcs.cli.output import deliver, json_text, present

if TYPE_CHECKING:
    from rich.text import Text

    from kvcs.commands.diff_all import Outcome
    from kvcs.render.flavour import Flavour
    from kvcs.render.layout import Look


def as_json(outcomes: Sequence[Outcome], alone: bool, file: Path | None) -> None:
    """Print for programs: two models that were named alone, without a list around them."""
    document: object = [outcome.to_dict() for outcome in outcomes]
    if alone:
        first = outcomes[0]
        document = first.to_dict() if first.found is None else first.found.to_dict()
    deliver(json_text(document), file)


def as_html(outcomes: Sequence[Outcome], command: Sequence[str], file: Path | None) -> None:
    """Print a page for a browser, with the command that compares the same."""
    from kvcs.render.html import page

    deliver(page(outcomes, command), file)


def as_markdown(
    outcomes: Sequence[Outcome],
    command: Sequence[str],
    file: Path | None,
    flavour: Flavour = "github",
) -> None:
    """Print for a comment on a pull request, with the command that compares the same."""
    from kvcs.render.markdown import markdown, of_one

    shown = [outcome for outcome in outcomes if _is_shown(outcome, outcomes)]
    models = []
    for outcome in shown:
        versions, found = outcome.versions, outcome.found
        names = (versions.old, versions.new) if found is None else (found.old_name, found.new_name)
        diff = None if found is None else found.diff
        models.append(of_one(versions.name, *names, diff, outcome.error))
    unchanged = len(outcomes) - len(shown)
    deliver(markdown(models, command, unchanged=unchanged, flavour=flavour), file)


def _is_shown(outcome: Outcome, outcomes: Sequence[Outcome]) -> bool:
    """Tell whether there is something to say; as git diff, nothing is of what is the same."""
    if outcome.error or outcome.found is None or len(outcomes) == 1:
        return True
    return bool(outcome.found.diff.changes)


def as_text(outcomes: Sequence[Outcome], layout: str, look: Look, color: str) -> None:
    """Print for a person.

    Args:
        outcomes: what was found.
        layout: `stat`, `summary`, `name_only`, or empty.
        look: how wide, and in which characters.
        color: as for the option.
    """
    laid_out = {"summary": _summary, "name_only": _names, "stat": _stat}.get(layout, _lines)
    for line in laid_out(outcomes, look):
        present(line, color)


def _summary(outcomes: Sequence[Outcome], look: Look) -> Iterator[Text]:
    from kvcs.render import brief

    entries = []
    for one in outcomes:
        diff = one.found.diff if one.found is not None else None
        versions = one.versions
        entries.append(brief.entry(versions.name, versions.old, versions.new, diff, one.error))
    yield from brief.summary(entries, look)


def _names(outcomes: Sequence[Outcome], look: Look) -> Iterator[Text]:
    from kvcs.render import brief

    for one in outcomes:
        if not one.error:
            name = one.versions.name if len(outcomes) > 1 else ""
            yield from brief.names(one.found.diff if one.found is not None else None, name, look)


def _stat(outcomes: Sequence[Outcome], look: Look) -> Iterator[Text]:
    from kvcs.render import brief

    for one in outcomes:
        if one.error or not _is_shown(one, outcomes):
            continue
        if one.found is None:
            yield from brief.one_sided(one.versions.name, one.versions.old, one.versions.new, look)
        else:
            name = one.versions.name if len(outcomes) > 1 else ""
            yield from brief.stat(one.found.diff, name, look)


def _lines(outcomes: Sequence[Outcome], look: Look) -> Iterator[Text]:
    from kvcs.render import brief
    from kvcs.render import diff as render

    first = True
    for one in outcomes:
        if one.error or not _is_shown(one, outcomes):
            continue
        if one.found is None:
            yield from brief.one_sided(one.versions.name, one.versions.old, one.versions.new, look)
        else:
            yield from () if first else [brief.nothing()]
            yield from render.laid_out(one.found.diff, one.found.old_name, one.found.new_name, look)
        first = False


def columns() -> int:
    """Return the columns of the terminal: `COLUMNS`, else as it says, else a fixed number."""
    from kvcs.render.layout import NARROWEST, WIDTH

    found = WIDTH
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdecimal() and int(given):
        found = int(given)
    elif sys.stdout.isatty():
        with suppress(OSError, ValueError):
            found = os.get_terminal_size(sys.stdout.fileno()).columns or WIDTH
    return max(NARROWEST, found)
