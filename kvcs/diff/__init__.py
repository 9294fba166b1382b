"""Two stored models, compared as models."""

from __future__ import annotations

from kvcs.diff.compare import diff
from kvcs.diff.description import Description, describe
from kvcs.diff.matcher import Match, match
from kvcs.diff.patch import patch
from kvcs.diff.values import Change, Diff, Pair

__all__ = ["Change", "Description", "Diff", "Match", "Pair", "describe", "diff", "match", "patch"]
