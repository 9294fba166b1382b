"""A page for each version of a model: what changed in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from kvcs.commands.diff_all import diff_all
from kvcs.commands.past import start_of
from kvcs.commands.show import page as shown
from kvcs.commands.versions import Versions
from kvcs.comparison.weighing import Report
from kvcs.errors import KvcsError, OperandError

if TYPE_CHECKING:
    from kvcs.commands.log import Entry, Log

NAME = 12  # letters of a commit's hash in the name of a file, whatever is short and unique today


def reports(
    found: Log, operand: str, *, report: Report = lambda done, total: None
) -> Iterator[tuple[str, str, str]]:
    """Yield for each version in which something changed its commit, a name for a file, and a page.

    Args:
        found: the versions.
        operand: what was given to `kvcs.log`.
        report: as for `kvcs.comparison.weighed_diff`.

    Raises:
        OperandError: the model is in another repository than the current directory.
    """
    _check(operand)
    for entry in found:
        page = _page(entry, report)
        if page:
            yield entry.commit, f"{entry.commit[:NAME]}.html", page


def _check(operand: str) -> None:
    from kvcs.repo import Repository

    with Repository.discover() as here, Repository.discover(start_of(operand)) as there:
        if here.top != there.top:
            raise OperandError(
                f"{operand} is in another repository than the current directory: reports are "
                "written in that of the model"
            )


def _page(entry: Entry, report: Report) -> str:
    from kvcs.render.html import page

    new = f"{entry.commit}:{entry.path}"
    if entry.state != "model" or entry.step.kind == "same":
        return ""
    if entry.step.kind != "changed":
        return _alone(new)
    old = f"{entry.commit}^1:{entry.step.renamed_from or entry.path}"
    versions = [Versions(name=entry.path or ".", old=old, new=new)]
    outcomes = diff_all(
        versions, hints={}, stats=True, numbers=True, histograms=True, report=report
    )
    return page(outcomes, ["kvcs", "diff", old, new])


def _alone(operand: str) -> str:
    try:
        return shown(operand)
    except KvcsError:  # of one version; the others have theirs
        return ""


def links(written: Mapping[str, Path], page: Path) -> dict[str, str]:
    """Return for each commit the link from a page to its report."""
    start = page.resolve().parent
    relative = {commit: os.path.relpath(path.resolve(), start) for commit, path in written.items()}
    return {commit: quote(Path(path).as_posix()) for commit, path in relative.items()}
