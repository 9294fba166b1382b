"""Fields of a JSON object, read as what they must be, or refused with the place they stand at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from kvcs.errors import RestoreError

Object: TypeAlias = dict[str, Any]

# Tells whether the user gave a class or function of that name.
Known: TypeAlias = Callable[[str], bool]


def an_object(value: Any, what: str, place: str) -> Object:
    """Return a JSON object."""
    if isinstance(value, dict):
        return value
    raise RestoreError(f"{place}: {what} is {_kind(value)} where an object is expected")


def a_list(value: Any, what: str, place: str) -> list[Any]:
    """Return a JSON array."""
    if isinstance(value, list):
        return value
    raise RestoreError(f"{place}: {what} is {_kind(value)} where a list is expected")


def a_text(value: Any, what: str, place: str) -> str:
    """Return a JSON string."""
    if isinstance(value, str):
        return value
    raise RestoreError(f"{place}: {what} is {_kind(value)} where a text is expected")


def a_shape(value: Any, what: str, place: str) -> list[int | None]:
    """Return a shape: sizes, and null for an axis of any size."""
    sizes = a_list(value, what, place)
    if all(size is None or (type(size) is int and size >= 0) for size in sizes):
        return sizes
    raise RestoreError(f"{place}: {what} is {value!r:.80}, which is no shape")


def described(value: Any, what: str, place: str) -> tuple[str, Any]:
    """Return class name and config of an object that describes something of Keras."""
    found = an_object(value, what, place)
    for key in ("class_name", "config"):
        if key not in found:
            raise RestoreError(f"{place}: {what} has no {key!r}, and so describes nothing of Keras")
    return a_text(found["class_name"], f"the class_name of {what}", place), found["config"]


def keras3(module: str, name: str, config: Mapping[str, Any]) -> Object:
    """Return the description of an object as Keras 3 reads it."""
    return {"module": module, "class_name": name, "config": dict(config), "registered_name": None}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value"}
    if value is None:
        return "null"
    return names.get(type(value), "a number")
