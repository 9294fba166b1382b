"""What `kvcs check` found, for a person: the verdict, a line for each finding, the rules."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from kvcs.render import words
from kvcs.render.check_words import message, source, verdict
from kvcs.render.layout import Look, padded
from kvcs.rules import Report

_STYLES = {"error": "bold red", "warning": "yellow", "note": ""}
_VERDICTS = {"blocked": "bold red", "review": "bold yellow", "clear": "bold green"}
WIDEST = 30  # columns of the name of a model


def laid_out(report: Report, look: Look) -> list[Text]:
    """Lay out a report."""
    names = [words.path(finding.model) for finding in report.findings if finding.model]
    column = min(max(map(cell_len, names), default=0), WIDEST)
    lines = [Text(verdict(report), _VERDICTS[report.status])]
    for finding in report.findings:
        model = words.path(finding.model) if finding.model else ""
        where = f"{padded(model, column)}  " if column else ""
        line = f"  {finding.level:<7}  {where}{finding.rule}  {message(finding)}"
        lines.append(Text(line, _STYLES[finding.level]))
    lines.append(Text(source(report)))
    return [part for line in lines for part in look.fitted(line)]
