"""Canonical JSON text: one form for each value."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from json.encoder import encode_basestring as quoted
from typing import Any, NoReturn

from kvcs.errors import FormatError

MAX_DEPTH = 100
MAX_FOREIGN_DEPTH = 250  # a config of Keras takes four levels for each model in a model
MAX_DIGITS = 4300  # of an int: as many as Python itself converts, where that is not changed
MAX_ON_ONE_LINE = 16
# Characters that change how a line looks without being seen, or end it: C1 controls, zero-width
# and bidirectional marks, line separators, the byte order mark, lone surrogates. A fixed list,
# for the categories of Unicode move with the version of Python.
INVISIBLE = re.compile(
    "[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)

_MANY_DIGITS = re.compile(f"(?<![0-9])[0-9]{{{MAX_DIGITS + 1}}}")
_MANY_DIGIT_BYTES = re.compile(_MANY_DIGITS.pattern.encode())

# Two lone surrogates that JSON, escaped side by side, reads as one character.
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def dumps(value: Any) -> bytes:
    """Return the canonical bytes of a JSON value (dict, list, str, int, float, bool, None).

    Raises:
        ValueError: something that would not come back: NaN, an infinity, an int of thousands of
            digits, text with a pair of surrogates.
    """
    text = _laid_out(value, "\n")
    if not text.isascii() or "\x7f" in text:
        text = _visible(text)
    return text.encode() + b"\n"


def _visible(text: str) -> str:
    pair = _SURROGATE_PAIR.search(text)
    if pair is not None:
        raise ValueError(f"text with a pair of surrogates: {pair[0]!r}")
    return INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _laid_out(value: Any, line: str) -> str:
    """Return a value as text; `line` is a line break and the indentation of what it stands in."""
    write = _ATOMS.get(type(value))
    if write:
        return write(value)
    inner = f"{line}  "
    if isinstance(value, dict) and value:
        items = [f"{quoted(key)}: {_laid_out(value[key], inner)}" for key in sorted(value)]
        return f"{{{inner}{f',{inner}'.join(items)}{line}}}"
    if isinstance(value, list) and value:
        items = [_laid_out(item, inner) for item in value]
        if len(value) <= MAX_ON_ONE_LINE and not any(map(_is_long, value)):
            return f"[{', '.join(items)}]"
        return f"[{inner}{f',{inner}'.join(items)}{line}]"
    return _of_another_kind(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value!r} is no JSON")
    return float.__repr__(value)


# What holds nothing else; the encoder of json takes twice as long.
_ATOMS: dict[type, Callable[[Any], str]] = {
    str: quoted,
    int: int.__repr__,
    float: _number,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda value: "null",
}


def _of_another_kind(value: Any) -> str:
    """Return a str, an int or a float of a class of its own, or what is empty."""
    for kind in (str, int, float):
        if isinstance(value, kind):
            return _ATOMS[kind](value)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    raise TypeError(f"{type(value).__name__} {value!r:.80} is no JSON")


def _is_long(value: Any) -> bool:
    return isinstance(value, str | list | dict)


def loads(data: bytes) -> Any:
    """Read canonical JSON.

    Raises:
        FormatError: not JSON, a key twice in an object, NaN or Infinity, nested more than 100
            deep, or not in the canonical form, so that a reviewer and kvcs would read the same.
    """
    value = parsed(data)
    if dumps(value) != data:
        json.loads(data, object_pairs_hook=_unique_keys)
        raise FormatError("not in canonical form (sorted keys, two spaces, one final newline)")
    return value


def parsed(data: bytes) -> Any:
    """Read JSON that is known to be in the canonical form, for `dumps` has just made it.

    Raises:
        FormatError: as `loads`, but for the form.
    """
    try:
        text = data.decode()
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, **_bounds(text))
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise FormatError(f"not JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise FormatError(f"nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:  # an int of more digits than Python converts
        raise FormatError(f"not JSON: {str(error).partition(';')[0]}") from None
    brackets = text.count("{") + text.count("[")  # no more levels than these around a value
    if brackets >= MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise FormatError(f"nested more than {MAX_DEPTH} deep")
    return value


def foreign(text: str | bytes | bytearray) -> Any:
    """Read JSON that others wrote, in any form, with the constants that Python's JSON has besides.

    Raises:
        FormatError: not JSON, a key twice in an object, nested more than 250 deep, or a number of
            thousands of digits.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, **_bounds(text))
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise FormatError(f"not JSON: {error}") from None
    if _depth(value) > MAX_FOREIGN_DEPTH:
        raise FormatError(f"nested more than {MAX_FOREIGN_DEPTH} deep")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise FormatError(f"key {twice!r} stands twice in one object")
    return found


def _bounds(text: str | bytes | bytearray) -> dict[str, Any]:
    """Return how integers are read: by Python itself, unless so many digits stand in a row."""
    digits = _MANY_DIGITS if isinstance(text, str) else _MANY_DIGIT_BYTES
    return {"parse_int": _bounded_int} if digits.search(text) else {}  # type: ignore[arg-type]


def _bounded_int(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)


def _no_constant(text: str) -> NoReturn:
    raise FormatError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise FormatError(f"number {text[:40]} is too large for a float")
    return number


def _depth(value: Any) -> int:
    level, deepest = [value], 0
    while level:
        deepest += 1
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    return deepest
