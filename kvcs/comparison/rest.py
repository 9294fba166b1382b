"""What the changes so far leave unsaid of the description: how layers are called, and in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kvcs.comparison.description import STRUCTURE, Record, followed
from kvcs.comparison.encoded import text
from kvcs.comparison.values import Change
from kvcs.spec import MISSING


def rest(
    before: Mapping[str, Record], wanted: Mapping[str, Record], there: Mapping[str, str]
) -> Iterator[Change]:
    """Yield what pairs do not tell of calls and of the order of layers; nothing of it counts.

    Connections say the same as a person would. This says it in full, for `patch`.
    """
    made = followed(before, there)
    back = {path: one for one, path in there.items()}
    for path, record in wanted.items():
        if "shared" in record and _differs(record, made.get(path)):
            yield Change(
                kind="calls", old_path=back.get(path), new_path=path, at="shared",
                old=made.get(path, MISSING), new=record,
            )  # fmt: skip
        elif path in back and "calls" in record:
            yield from _of_pair(back[path], path, made[path], record)


def _of_pair(old: str, new: str, made: Record, wanted: Record) -> Iterator[Change]:
    if text(made["calls"]) != text(wanted["calls"]):
        yield Change(
            kind="calls", old_path=old, new_path=new, old=made["calls"], new=wanted["calls"]
        )
    mine, yours = ({key: side.get(key) for key in STRUCTURE} for side in (made, wanted))
    if text(mine) != text(yours):
        yield Change(kind="structure", old_path=old, new_path=new, old=mine, new=yours)


def _differs(record: Record, made: Record | None) -> bool:
    return made is None or text(record) != text(made)
