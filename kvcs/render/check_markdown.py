"""What rules found, at the head of a comment on a pull request."""

from __future__ import annotations

from collections.abc import Mapping

from kvcs.render import words
from kvcs.render.check_words import message, source, verdict
from kvcs.render.markdown_text import code, row, table
from kvcs.rules import Finding, Level, Report, Status

MOST = 30  # findings; the others stand in the report and in the annotations

_SYMBOLS: Mapping[Status, str] = {"blocked": "⛔", "review": "⚠️", "clear": "✅"}
_LEVELS: Mapping[Level, str] = {"error": "⛔ error", "warning": "⚠️ warning", "note": "note"}


def head(report: Report) -> str:
    """Return verdict, findings and rules as Markdown, which ends with an empty line."""
    first, _, rest = verdict(report).partition(":")
    lines = [f"## {_SYMBOLS[report.status]} Models: {first}", "", rest.strip(), ""]
    shown = report.findings[:MOST]
    if shown:
        lines += [*table(["", "model", "rule", ""]), *map(_row, shown), ""]
    if len(shown) < len(report.findings):
        lines += [f"… {words.count(len(report.findings) - len(shown), 'finding')} more", ""]
    return "\n".join([*lines, _rules(report), "", ""])


def _rules(report: Report) -> str:
    policy = report.policy
    if not policy.source:
        return source(report)
    return f"Rules: {len(policy.rules):,} of {code(words.path(policy.source))}"


def _row(finding: Finding) -> str:
    model = code(words.path(finding.model)) if finding.model else ""
    return row([_LEVELS[finding.level], model, code(finding.rule), code(message(finding))])


def failure(reason: str) -> str:
    """Return that nothing could be judged, and why."""
    return "\n".join(
        ["## ⚠️ Models: REVIEW", "", "they could not be compared", "",
         code(words.shortened(reason, 1000)), ""]
    )  # fmt: skip
