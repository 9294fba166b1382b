"""Two stored models, compared as models."""

from __future__ import annotations

from kvcs.comparison.compare import diff, weighed_diff
from kvcs.comparison.description import Description, describe
from kvcs.comparison.document import from_dict, schema, to_dict
from kvcs.comparison.matcher import Match, match
from kvcs.comparison.patch import patch
from kvcs.comparison.values import Change, Diff, Pair

__all__ = [
    "Change",
    "Description",
    "Diff",
    "Match",
    "Pair",
    "describe",
    "diff",
    "from_dict",
    "match",
    "patch",
    "schema",
    "to_dict",
    "weighed_diff",
]
