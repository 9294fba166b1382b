"""Many comparisons at once: one model that cannot be compared does not hide the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from kvcs import comparison
from kvcs.commands.diff import Comparison, compared, selected
from kvcs.commands.operand import described
from kvcs.commands.versions import Versions
from kvcs.comparison.values import DAMAGED
from kvcs.comparison.weighing import Report
from kvcs.errors import KvcsError, OperandError
from kvcs.spec import StoredModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one comparison.

    Attributes:
        versions: what was to be compared.
        found: the comparison; None where a side lacks the model, or cannot be read.
        error: why it could not be compared; empty when it could.
        alone: the model that is on one side only, if it was asked for and can be read.
    """

    versions: Versions
    found: Comparison | None = None
    error: str = ""
    alone: StoredModel | None = None

    @property
    def differs(self) -> bool:
        """Whether the two versions differ, as far as that is known."""
        return not self.error and (self.found is None or bool(self.found))

    @property
    def complaints(self) -> list[str]:
        """What to tell the user: why something was not compared, or not in full."""
        if self.error:
            return [self.error]
        return [] if self.found is None else self.found.unread

    @property
    def failed(self) -> bool:
        """Whether damage stood in the way; an object of Git LFS may be absent on purpose."""
        damaged = self.found is not None and self.found.diff.unread(DAMAGED)
        return bool(self.error or damaged)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        found: dict[str, Any] = {
            **asdict(self.versions),
            "diff": None if self.found is None else self.found.to_dict(),
        }
        return {**found, "error": self.error} if self.error else found


def diff_all(
    versions: Sequence[Versions],
    *,
    hints: Mapping[str, str],
    stats: bool,
    numbers: bool,
    histograms: bool = False,
    alone: bool = False,
    levels: Sequence[str] = (),
    layers: Sequence[str] = (),
    report: Report = lambda done, total: None,
) -> list[Outcome]:
    """Compare all that can be compared, and keep of it what is asked for.

    Args:
        versions: what is compared.
        hints, stats, numbers, histograms: as for `kvcs.commands.diff.compared`.
        alone: read also a model that is on one side only, to show it.
        levels: the only levels to look at; none for all.
        layers: patterns of the only layers to look at; none for all.
        report: as for `kvcs.comparison.weighed_diff`.

    Raises:
        OperandError: a pattern matches no layer of any of the models.
    """
    weighed = {"stats": stats, "numbers": numbers, "histograms": histograms}
    options = {"hints": hints, "report": report, **weighed}
    found = [
        _outcome(each, options) if each.old and each.new else _one_sided(each, read=alone)
        for each in versions
    ]
    _check(layers, found)
    return [
        outcome
        if outcome.found is None
        else replace(outcome, found=selected(outcome.found, levels, layers))
        for outcome in found
    ]


def _one_sided(versions: Versions, *, read: bool) -> Outcome:
    if read:
        # That it is damaged is for `kvcs verify`: there is nothing to compare it with.
        with suppress(KvcsError), described(versions.old or versions.new) as stored:
            return Outcome(versions=versions, alone=stored.model())
    return Outcome(versions=versions)


def _outcome(versions: Versions, options: Mapping[str, Any]) -> Outcome:
    try:
        found = compared(versions.old, versions.new, **options)
    except KvcsError as error:
        return Outcome(versions=versions, error=str(error))
    return Outcome(versions=versions, found=found)


def _check(layers: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    diffs = [outcome.found.diff for outcome in outcomes if outcome.found is not None]
    for glob in layers:
        if diffs and not any(comparison.layers_found(diff, glob) for diff in diffs):
            raise OperandError(f"--layers {glob!r} matches no layer on either side")
