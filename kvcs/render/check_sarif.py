"""Findings as SARIF 2.1.0, the format in which code scanning takes the results of tools.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from kvcs.checksum import sha256
from kvcs.render import words
from kvcs.render.check_words import message
from kvcs.rules import Finding, Report
from kvcs.rules.catalogue import KINDS
from kvcs.rules.values import INCOMPLETE, REMOVED, RULES_CHANGED, UNMATCHED, UNMATCHED_MODELS

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)

_ESCAPES = str.maketrans({"\\": "\\\\", "[": "\\[", "]": "\\]", "{": "{{", "}": "}}"})

_WANTS: Mapping[str, str] = {
    **{name: kind.wants for name, kind in KINDS.items()},
    INCOMPLETE: "Every model can be compared, and every rule be judged.",
    REMOVED: "Models with rules stay.",
    RULES_CHANGED: "The rules stay as they are.",
    UNMATCHED: "Each pattern of layers matches one.",
    UNMATCHED_MODELS: "Each pattern of models matches one.",
}


def document(report: Report, version: str) -> dict[str, Any]:
    """Return a report as a SARIF log.

    Args:
        report: what was found.
        version: of kvcs.
    """
    names = sorted({finding.rule for finding in report.findings})
    results = [_result(finding, names.index(finding.rule)) for finding in report.findings]
    driver = {"name": "kvcs", "version": version, "rules": [_rule(name) for name in names]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": results,
        "properties": {"status": report.status},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> dict[str, Any]:
    return {"id": name, "shortDescription": {"text": _WANTS[name]}}


def _result(finding: Finding, index: int) -> dict[str, Any]:
    model = f"{words.path(finding.model)}: " if finding.model else ""
    found: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": finding.level,
        "message": {"text": _text(f"{model}{message(finding)}")},
        "partialFingerprints": {"kvcsFinding/v1": _fingerprint(finding)},
    }
    location = _location(finding)
    return {**found, "locations": [location]} if location else found


def _text(text: str) -> str:
    """Return a text in which nothing is a placeholder (§3.11.5) or a link (§3.11.6)."""
    return text.translate(_ESCAPES)


def _location(finding: Finding) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if finding.file:
        name = quote(finding.file, safe="/", errors="replace")
        artifact = {"uri": name, "uriBaseId": "%SRCROOT%"}
        # A whole file; code scanning shows nothing that has no line.
        found["physicalLocation"] = {"artifactLocation": artifact, "region": {"startLine": 1}}
    if finding.layer:
        name = words.path(finding.layer)
        found["logicalLocations"] = [{"fullyQualifiedName": name, "kind": "element"}]
    return found


def _fingerprint(finding: Finding) -> str:
    """Return what is the same for the same finding in the next run."""
    change = "" if finding.change is None else finding.change.id
    parts = (finding.rule, finding.model, finding.layer, finding.at, change)
    return sha256(["\0".join(parts).encode("utf-8", "surrogatepass")])
