"""What an analysis leaves in a directory, for the step that comments, for people, for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kvcs import __version__
from kvcs.commands.ci import pages
from kvcs.commands.diff_all import Outcome
from kvcs.errors import KvcsError
from kvcs.forge.sticky import MARKER
from kvcs.render import check_markdown, check_sarif
from kvcs.render.flavour import Flavour
from kvcs.rules import Report

COMMENT, SUMMARY, REPORT = "comment.md", "summary.md", "report.html"
CHECK, SARIF, STATUS = "check.json", "check.sarif", "status.json"

FORMAT = "kvcs.ci/1"
COMMENT_LIMIT = 60_000  # characters; GitHub takes 65,536
SUMMARY_LIMIT = 1_000_000  # bytes; GitHub takes 1,048,576 of one step


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What was compared, and what the rules say of it.

    Attributes:
        report: of the rules.
        outcomes: of the comparisons.
        base, head: hashes of the two commits.
        flavour: of Markdown, `github` or `gitlab`.
    """

    report: Report
    outcomes: Sequence[Outcome]
    base: str
    head: str
    flavour: Flavour

    @property
    def changed(self) -> bool:
        """Whether any model differs, or could not be compared."""
        return bool(self.report.changed)

    @property
    def command(self) -> list[str]:
        """What prints the same on a terminal."""
        return ["kvcs", "diff", f"{self.base[:12]}...{self.head[:12]}"]


def write(directory: Path, found: Analysis) -> dict[str, Path]:
    """Write all files of an analysis; return those that are there by what they are."""
    text = check_markdown.head(found.report)
    files = {
        COMMENT: f"{MARKER}\n{_document(found, text, COMMENT_LIMIT - len(MARKER) - 1)}",
        SUMMARY: _summary(found, text),
        REPORT: pages.page(found.outcomes, found.command),
        CHECK: _json(found.report.to_dict()),
        SARIF: _json(check_sarif.document(found.report, __version__)),
        STATUS: _json(
            {
                "format": FORMAT,
                "status": found.report.status,
                "changed": found.changed,
                "base": found.base,
                "head": found.head,
            }
        ),
    }
    return _write(directory, files)


def write_failure(directory: Path, reason: str) -> dict[str, Path]:
    """Write that nothing could be compared: an older comment must not go on to say all is well."""
    text = check_markdown.failure(reason)
    status = {"format": FORMAT, "status": "review", "changed": True, "error": reason}
    files = {COMMENT: f"{MARKER}\n{text}", SUMMARY: text, STATUS: _json(status)}
    return _write(directory, files)


def _document(found: Analysis, head: str, limit: int) -> str:
    rest = pages.sections(
        found.outcomes, found.command, limit=limit - len(head), flavour=found.flavour
    )
    return f"{head}{rest}"


def _summary(found: Analysis, head: str) -> str:
    """Return the summary of a job, whose length counts in bytes."""
    limit = SUMMARY_LIMIT
    while len((text := _document(found, head, limit)).encode("utf-8", "replace")) > SUMMARY_LIMIT:
        limit //= 2
    return text


def _write(directory: Path, files: dict[str, str]) -> dict[str, Path]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in (COMMENT, SUMMARY, REPORT, CHECK, SARIF, STATUS):
            (directory / name).unlink(missing_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8", errors="replace", newline="\n")
    except OSError as error:
        raise KvcsError(f"the results cannot be written to {directory}: {error.strerror}") from None
    return {name: directory / name for name in files}


def _json(document: Any) -> str:
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
