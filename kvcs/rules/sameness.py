"""Rules about what may not change: each is about one level of a diff."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kvcs import comparison
from kvcs.comparison import Change
from kvcs.comparison.selecting import IN_FULL
from kvcs.rules.catalogue import KINDS
from kvcs.rules.subject import Subject
from kvcs.rules.values import Finding, Rule

TEXTS: Mapping[str, str] = {
    "added": "layer added",
    "removed": "layer removed",
    "replaced": "layer replaced by one of another class",
    "moved": "layer moved",
    "rescoped": "layer put into another model",
    "renamed": "layer renamed",
    "connection_added": "connection added",
    "connection_removed": "connection removed",
    "inputs_reordered": "inputs reordered",
    "container_added": "model inside added",
    "container_removed": "model inside removed",
    "config": "setting changed",
    "shape": "weights have other shapes",
    "trainable": "trained or not has changed",
    "training": "training setting changed",
    "weights": "weights changed",
    "interface": "input or output changed",
}


def judge_sameness(rule: Rule, subject: Subject) -> Iterator[Finding]:
    """Yield a finding for each change that the rule forbids; a new or removed model has none."""
    if subject.diff is None:
        return
    found = comparison.only(subject.diff, [KINDS[rule.name].level])
    if rule.layers:
        found = comparison.in_layers(found, rule.layers)
    for change in found.changes:
        if change.kind not in IN_FULL:
            yield finding(rule, subject, change, TEXTS[change.kind])


def finding(rule: Rule, subject: Subject, change: Change, text: str) -> Finding:
    """Return what is found about a change."""
    return Finding(
        rule=rule.name,
        level=rule.level,
        model=subject.name,
        text=text,
        layer=change.path,
        at=change.at,
        change=change,
        file=subject.file(change.new_path or ""),
    )
