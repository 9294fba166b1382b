"""What rules found, at the head of a comment on a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from kvcs.render import words
from kvcs.render.check_words import folded, message, source, verdict
from kvcs.render.markdown_text import code, row, table
from kvcs.rules import Finding, Level, Report, Status

MOST = 30  # findings; all of them stand in check.json
ALIKE = 5  # of one rule for one model

_SYMBOLS: Mapping[Status, str] = {"blocked": "⛔", "review": "⚠️", "clear": "✅"}
_LEVELS: Mapping[Level, str] = {"error": "⛔ error", "warning": "⚠️ warning", "note": "note"}


def head(report: Report) -> str:
    """Return verdict, findings and rules as Markdown, which ends with an empty line."""
    first, _, rest = verdict(report).partition(":")
    lines = [f"## {_SYMBOLS[report.status]} Models: {first}", "", rest.strip(), ""]
    shown = list(islice(folded(report.findings, ALIKE), MOST))
    left = len(report.findings) - len(shown) - sum(more for _, more in shown)
    if shown:
        rows = [line for finding, more in shown for line in _rows(finding, more)]
        lines += [*table(["", "model", "rule", ""]), *rows, ""]
    if left:
        lines += [f"… {words.count(left, 'finding')} more", ""]
    return "\n".join([*lines, _rules(report), "", ""])


def _rules(report: Report) -> str:
    policy = report.policy
    if not policy.source:
        return source(report)
    return f"Rules: {len(policy.rules):,} of {code(words.operand(policy.source))}"


def _rows(finding: Finding, more: int) -> list[str]:
    model = code(words.path(finding.model)) if finding.model else ""
    start = [_LEVELS[finding.level], model, code(finding.rule)]
    rest = [row([*start, f"… {more:,} more"])] if more else []
    return [row([*start, code(message(finding))]), *rest]


def failure(reason: str) -> str:
    """Return that nothing could be judged, and why."""
    return "\n".join(
        ["## ⚠️ Models: REVIEW", "", "they could not be compared", "",
         code(words.shortened(reason, 1000)), ""]
    )  # fmt: skip
