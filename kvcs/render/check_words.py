"""What rules found, in words: one harmless line for each finding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from kvcs.render import changes as said
from kvcs.render import words
from kvcs.rules import LEVELS, Finding, Report, Status

LONGEST = 400  # characters of what others wrote

VERDICTS: Mapping[Status, str] = {
    "blocked": "BLOCKED",
    "review": "REVIEW",
    "clear": "CLEAR",
}

# What changed says in itself that it did.
_TOLD_BY_VALUES = ("config", "interface", "training")


def message(finding: Finding) -> str:
    """Say what was found, where in the model, in one line."""
    change = finding.change
    parts = [words.path(finding.layer)] if finding.layer else []
    if change is not None:
        told = [] if change.kind in _TOLD_BY_VALUES else [finding.text]
        parts += [*told, _what(finding)]
    else:
        parts += [words.setting(finding.at)] if finding.at else []
        parts += [finding.text]
    parts += [words.shortened(finding.detail, LONGEST)] if finding.detail else []
    return ": ".join(part for part in parts if part)


def folded(findings: Iterable[Finding], most: int) -> Iterator[tuple[Finding, int]]:
    """Yield findings, and how many follow each that are like it and are left out.

    Args:
        findings: in the order of a report.
        most: how many of one rule are shown for one model; at least one.
    """
    for _, group in groupby(findings, lambda one: (one.level, one.model, one.rule)):
        alike = list(group)
        *shown, last = alike[:most]
        yield from ((finding, 0) for finding in shown)
        yield last, len(alike) - len(shown) - 1


def _what(finding: Finding) -> str:
    """Say what changed, unless the finding says that already."""
    change = finding.change
    assert change is not None, "asked for changes alone"
    if change.kind in ("connection_added", "connection_removed"):
        return f"from {words.path(change.at)}"
    if change.kind == "interface":
        return f"{words.setting(change.at)} {said.port(change)}"
    if change.kind == "training":
        return f"{words.setting(change.at) or 'compile'}: {_values(finding)}"
    if change.kind in ("moved", "inputs_reordered", "state", "weights"):
        return ""
    return said.what(change)


def _values(finding: Finding) -> str:
    change = finding.change
    assert change is not None, "asked for changes alone"
    return f"{words.value(change.old)} → {words.value(change.new)}"


def verdict(report: Report) -> str:
    """Say in one line what came out."""
    many = [words.count(report.summary[level], level) for level in LEVELS if report.summary[level]]
    found = " and ".join([", ".join(many[:-1]), many[-1]] if len(many) > 1 else many)
    of = f"{len(report.changed):,} of {words.count(report.models, 'model')} changed"
    return f"{VERDICTS[report.status]}: {found or 'no rule is broken'}; {of}"


def source(report: Report) -> str:
    """Say which rules were applied."""
    policy = report.policy
    if not policy.source:
        return "Rules: none, for there is no .kvcs.toml on the old side"
    return f"Rules: {len(policy.rules):,}, of {words.operand(policy.source)}"
