"""What `kvcs check` found, for a person: the verdict, a line for each finding, the rules."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from kvcs.render import words
from kvcs.render.check_words import folded, message, source, verdict
from kvcs.render.layout import Look, padded
from kvcs.rules import Report

_STYLES = {"error": "bold red", "warning": "yellow", "note": ""}
_VERDICTS = {"blocked": "bold red", "review": "bold yellow", "clear": "bold green"}
MOST = 10  # findings of one rule for one model
WIDEST = 30  # columns of the name of a model


def laid_out(report: Report, look: Look) -> list[Text]:
    """Lay out a report."""
    names = [words.path(finding.model) for finding in report.findings if finding.model]
    column = min(max(map(cell_len, names), default=0), WIDEST)
    lines = [Text(verdict(report), _VERDICTS[report.status])]
    most = max(MOST, len(report.findings)) if look.everything else MOST
    for finding, more in folded(report.findings, most):
        model = words.path(finding.model) if finding.model else ""
        where = f"{padded(model, column)}  " if column else ""
        start = f"  {finding.level:<7}  {where}{finding.rule}  "
        lines.append(Text(f"{start}{message(finding)}", _STYLES[finding.level]))
        if more:
            lines.append(Text(f"{start}… {more:,} more", _STYLES[finding.level]))
    lines.append(Text(source(report)))
    return [part for line in lines for part in look.fitted(line)]
