"""Rules that a change of a model must keep: what a `.kvcs.toml` says, and what breaks it.

Pure: a diff, descriptions and tensors come as values and callables; findings are values too.

| module           | its job                                                         |
|------------------|-----------------------------------------------------------------|
| `values.py`      | levels, rules, findings, and the review status of a whole report |
| `catalogue.py`   | which rules there are, and what each can be told                |
| `reading.py`     | the text of a `.kvcs.toml` becomes a policy                     |
| `subject.py`     | one model that is judged: both versions, and where layers stand |
| `sameness.py`    | rules about what may not change                                 |
| `weights.py`     | rules about weights: how many, how large, frozen, finite        |
| `judging.py`     | each rule that applies to a model, applied                      |
| `document.py`    | a report as JSON, by `schema.json`                              |

`docs/rules.md` tells a user the same. The use case is `kvcs.commands.check`.
"""

from __future__ import annotations

from kvcs.rules.document import schema, to_dict
from kvcs.rules.judging import judge, unjudged, unmatched
from kvcs.rules.reading import FILE, read
from kvcs.rules.subject import Subject
from kvcs.rules.values import LEVELS, Finding, Level, Policy, Report, Rule, Status

__all__ = [
    "FILE",
    "LEVELS",
    "Finding",
    "Level",
    "Policy",
    "Report",
    "Rule",
    "Status",
    "Subject",
    "judge",
    "read",
    "schema",
    "to_dict",
    "unjudged",
    "unmatched",
]
