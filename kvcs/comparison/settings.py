"""What differs between two settings, as deep inside as it makes sense to a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kvcs.canon import is_object
from kvcs.comparison.encoded import Json, text
from kvcs.comparison.graph import name_of, step
from kvcs.spec import MISSING, Missing

Pointer = tuple[str | int, ...]


class Difference(NamedTuple):
    """One setting that differs; MISSING where a side has none."""

    at: Pointer
    old: Json | Missing
    new: Json | Missing

    @property
    def path(self) -> str:
        """Where, as text: the steps of a JSON Pointer without the first slash.

        A colon, which marks what is no setting, is escaped as well, and an empty step.
        """
        return "/".join(step(str(one)).replace(":", "~2") for one in self.at)


def differences(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[Difference]:
    """Yield the settings that differ, sorted by key."""
    if old is new:
        return
    for key in sorted(old.keys() | new.keys()):
        mine, yours = old.get(key, MISSING), new.get(key, MISSING)
        if MISSING not in (mine, yours) and text(mine) == text(yours):
            continue
        if _comparable(mine, yours):
            yield from _inside(key, mine, yours)
        else:
            yield Difference((key,), mine, yours)


def _inside(key: str, old: Json, new: Json) -> Iterator[Difference]:
    met: set[Pointer] = set()
    for pointer in _differing(old, new):
        whole = pointer[: _whole(pointer, old, new)]
        if whole not in met:
            met.add(whole)
            yield Difference((key, *whole), _at(old, whole), _at(new, whole))


def _whole(pointer: Pointer, old: Json, new: Json) -> int:
    """Return how deep to look: what belongs together is one setting.

    An object of another class, a list of plain values or of another length, and what canonical
    JSON tags are shown whole.
    """
    for depth in range(len(pointer)):
        mine, yours = _at(old, pointer[:depth]), _at(new, pointer[:depth])
        if not _comparable(mine, yours):
            return depth
    return len(pointer)


def _comparable(mine: Json, yours: Json) -> bool:
    if isinstance(mine, list) and isinstance(yours, list):
        return len(mine) == len(yours) and any(isinstance(x, dict | list) for x in mine)
    if not (isinstance(mine, dict) and isinstance(yours, dict)):
        return False
    if any(key.startswith("$") for key in (*mine, *yours)):
        return False
    if is_object(mine) and is_object(yours):
        return all(mine.get(k) == yours.get(k) for k in ("module", "class_name", "registered_name"))
    return not is_object(mine) and not is_object(yours)


def _at(value: Json, pointer: Pointer) -> Json | Missing:
    for key in pointer:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return MISSING
    return value


def _differing(old: Json, new: Json) -> list[Pointer]:
    """Return where two nested values differ, sorted. The one place that knows deepdiff."""
    from deepdiff import DeepDiff  # takes 0.4 s, which most comparisons need not wait for

    found = DeepDiff(old, new, view="tree", ignore_order=False, threshold_to_diff_deeper=0)
    pointers = {
        tuple(level.path(output_format="list")) for levels in found.values() for level in levels
    }
    if not pointers:  # numbers that deepdiff takes for the same
        return [()]
    return sorted(pointers, key=lambda pointer: [str(key) for key in pointer])


def edited(value: Any, pointer: Pointer, new: Json | Missing) -> Any:
    """Return a value with one setting in it replaced; MISSING takes it away."""
    if not pointer:
        return new
    key, *rest = pointer
    copy = list(value) if isinstance(value, list) else dict(value)
    if not rest and isinstance(new, type(MISSING)):
        del copy[key]  # type: ignore[arg-type]
    else:
        below = copy.get(key, {}) if isinstance(copy, dict) else copy[int(key)]
        copy[key] = edited(below, tuple(rest), new)  # type: ignore[index]
    return copy


def pointer(path: str, value: Json) -> Pointer:
    """Return the steps of a path, those into lists as numbers."""
    found: list[str | int] = []
    for name in path.split("/"):
        plain = name_of(name.replace("~2", ":"))
        key = int(plain) if isinstance(value, list) else plain
        value = _at(value, (key,))
        found.append(key)
    return tuple(found)
