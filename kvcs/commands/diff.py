"""`kvcs.diff`: what changed between two models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kvcs import comparison
from kvcs.commands.fetching import fetch_changed
from kvcs.commands.operand import Model, Stored, described
from kvcs.tree.reader import Seen


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `kvcs.diff` found; true when the models differ.

    Attributes:
        old_name, new_name: the operands.
        diff: the differences as values.
    """

    old_name: str
    new_name: str
    diff: comparison.Diff

    def __bool__(self) -> bool:
        return bool(self.diff)

    @property
    def summary(self) -> dict[str, int]:
        """How many changes of each kind there are."""
        return self.diff.summary

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON, in the form of `kvcs/comparison/schema.json`."""
        return comparison.to_dict(self.diff)

    def to_text(self, *, ascii: bool = False) -> str:  # noqa: A002  (as the option)
        """Return it for a person, as `kvcs diff` prints it without colours."""
        from kvcs.render.diff import text

        return text(self.diff, self.old_name, self.new_name, ascii=ascii)


def diff(
    a: Model,
    b: Model,
    *,
    map: Mapping[str, str] | None = None,  # noqa: A002  (the option's name)
    stats: bool = True,
    custom_objects: Mapping[str, Any] | None = None,
) -> Comparison:
    """Compare two models as models, whatever their layers are called.

    Args:
        a: any MODEL, the old one.
        b: any MODEL, the new one.
        map: layers of `a`, by path such as `encoder/dense`, and which of `b` they are, where the
            comparison finds another pair.
        stats: read weights that changed, and say how much. Without, no weight is read.
        custom_objects: needed for a Keras file with custom classes.

    Raises:
        KvcsError: there is no such model, it is not whole, or `map` names no layer of it.
    """
    with described(a, custom_objects) as old, described(b, custom_objects) as new:
        return Comparison(old.name, new.name, _compared(old, new, map, stats))


def _compared(
    old: Stored, new: Stored, hints: Mapping[str, str] | None, stats: bool
) -> comparison.Diff:
    seen: Seen = {}
    models = old.model(seen), new.model(seen)
    if not stats:
        return comparison.diff(*models, hints=hints)
    fetch_changed(old.files, new.files, models)
    contents = old.contents(models[0]), new.contents(models[1])
    return comparison.weighed_diff(*models, *contents, hints=hints)
