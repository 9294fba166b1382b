"""A report as JSON, in the form of the schema `kvcs/rules/schema.json`."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from kvcs.rules.values import Finding, Report, Rule

FORMAT = "kvcs.check/1"


def to_dict(report: Report) -> dict[str, Any]:
    """Return a report as JSON: the same for the same models and rules, to the byte."""
    return {
        "format": FORMAT,
        "status": report.status,
        "rules": {
            "source": report.policy.source,
            "rules": [_rule(rule) for rule in report.policy.rules],
        },
        "models": report.models,
        "changed": list(report.changed),
        "summary": report.summary,
        "findings": [_finding(finding) for finding in report.findings],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    found: dict[str, Any] = {"rule": rule.name, "level": rule.level, "models": list(rule.models)}
    if rule.layers:
        found["layers"] = list(rule.layers)
    options = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in rule.options.items()
    }
    return {**found, "options": options} if options else found


def _finding(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {"rule": finding.rule, "level": finding.level, "text": finding.text}
    for key in ("model", "layer", "at", "detail", "file"):
        if getattr(finding, key):
            found[key] = getattr(finding, key)
    if finding.change is not None:
        found["change"] = finding.change.id
    return found


def schema() -> dict[str, Any]:
    """Return the JSON schema of `to_dict`."""
    text = files("kvcs.rules").joinpath("schema.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
