"""Findings as workflow commands of GitHub Actions, which it shows beside the files they are about.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
"""

from __future__ import annotations

from collections.abc import Iterator

from kvcs.render import words
from kvcs.render.check_words import message, verdict
from kvcs.rules import LEVELS, Finding, Report

MOST = 10  # of each level, which is all that GitHub shows of a step
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def lines(report: Report) -> list[str]:
    """Return one line for each finding; where there are too many, the last says how many."""
    found = []
    for level in LEVELS:
        mine = report.of(level)
        kept = mine if len(mine) <= MOST else mine[: MOST - 1]
        found += [_command(finding) for finding in kept]
        if len(mine) > len(kept):
            more = f"{words.count(len(mine) - len(kept), level)} more; {verdict(report)}"
            found.append(f"::{_COMMANDS[level]} title=kvcs::{_data(more)}")
    return found


def _command(finding: Finding) -> str:
    properties = ",".join(f"{key}={_property(value)}" for key, value in _properties(finding))
    return f"::{_COMMANDS[finding.level]} {properties}::{_data(message(finding))}"


def _properties(finding: Finding) -> Iterator[tuple[str, str]]:
    if finding.file:
        yield "file", finding.file
    model = f" in {words.path(finding.model)}" if finding.model else ""
    yield "title", f"kvcs: {finding.rule}{model}"


def _data(text: str) -> str:
    """Escape what stands behind the last two colons; a line break would begin another command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
