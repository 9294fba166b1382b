"""Canonical JSON: the same value is always the same bytes, and comes back as what it was.

Two steps. `dumps` and `loads` give JSON one form: UTF-8, keys sorted by code point, two spaces,
LF, a final newline, no duplicate keys, no bare NaN; a list of at most 16 numbers, booleans and
nulls, such as a shape, on one line. `encode` and `decode` carry what JSON lacks
in objects with one key that begins with `$`:

    {"$tuple": [...]}            {"$set": [...]}, {"$frozenset": [...]}   sorted by their JSON
    {"$dict": [[key, value]…]}   a dict whose order is not that of its sorted keys, or whose keys
                                 are not all strings, or one of whose keys begins with "$"
    {"$float": "nan"}            also "inf" and "-inf"
    {"$complex": [re, im]}       {"$bytes": "<base64>"}
    {"$slice": [a, b, c]}        {"$range": [a, b, c]}        {"$ellipsis": null}
    {"$array": {"dtype", "shape", "values"}}                  values flat, in C order
    {"$scalar": {"dtype", "value"}}                           a NumPy scalar, such as float32(0.1)
    {"$tensor": "lstm[0][2]"}    see `kvcs.spec.TensorRef`
    {"$variable": "layers/dense/kernel"}                      see `kvcs.spec.VariableRef`
    {"$class": {"module", "class_name", "registered_name"}}   see `kvcs.spec.ClassRef`

The one dict whose order means nothing is a schema: a class reference with its config, as Keras
writes them. Its keys, and those of its config (arguments of a constructor), are sorted.
"""

from __future__ import annotations

import base64
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Callable
from json.encoder import encode_basestring as quoted
from typing import TYPE_CHECKING, Any, NoReturn

from kvcs.errors import FormatError
from kvcs.npy import array_from_values, array_values, dtype_name
from kvcs.spec import ClassRef, TensorRef, Value, VariableRef

if TYPE_CHECKING:
    import numpy as np

MAX_DEPTH = 100
MAX_FOREIGN_DEPTH = 250  # a config of Keras takes four levels for each model in a model
MAX_DIGITS = 4300  # of an int: as many as Python itself converts, where that is not changed
MAX_ON_ONE_LINE = 16

# The keys Keras uses around the config of a class; see `is_object`.
OBJECT_KEYS = frozenset(
    {
        "build_config",
        "class_name",
        "compile_config",
        "config",
        "inbound_nodes",
        "module",
        "name",
        "registered_name",
        "shared_object_id",
    }
)

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


def is_object(value: Value) -> bool:
    """Tell whether a dict is a class reference with its config, as Keras serialises objects."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("class_name"), str)
        and "config" in value
        and value.keys() <= OBJECT_KEYS
    )


def encode(value: Value) -> Any:
    """Return `value` as JSON.

    Raises:
        TypeError: something that is not a `kvcs.spec.Value` is inside; the text names its type.
    """
    if type(value) in _AS_THEY_ARE:
        return value
    if _is_scalar(value):  # before the numbers and texts that some of them are
        return {"$scalar": _encode_scalar(value)}
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$float": repr(float(value))}
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return _encode_dict(value)
    for kind, tag, content in _TAGS:
        if isinstance(value, kind):
            return {tag: content(value)}
    if _is_of_numpy(value, "ndarray"):
        return {"$array": _encode_array(value)}
    raise TypeError(f"cannot be stored: {type(value).__name__} {value!r:.80}")


_AS_THEY_ARE = frozenset({str, int, bool, type(None)})  # most of what there is


def encode_schema(config: dict[str, Value]) -> dict[str, Any]:
    """Return a dict as JSON whose keys are a schema's or a constructor's: order means nothing."""
    if not all(map(_is_plain, config)):
        encoded = _pairs(config)
        return {"$dict": sorted(encoded, key=lambda pair: dumps(pair[0]))}
    return _members(config)


def _members(value: dict[str, Value]) -> dict[str, Any]:
    return {
        key: item if type(item) in _AS_THEY_ARE else encode(item) for key, item in value.items()
    }


def _encode_dict(value: dict[Any, Value]) -> Any:
    if is_object(value):
        config = value["config"]
        encoded = {key: encode(item) for key, item in value.items() if key != "config"}
        encoded["config"] = encode_schema(config) if isinstance(config, dict) else encode(config)
        return encoded
    keys = list(value)
    if all(map(_is_plain, keys)) and keys == sorted(keys):
        return _members(value)
    return {"$dict": _pairs(value)}


def _is_plain(key: Any) -> bool:
    """Tell a key that JSON has, and that is no tag."""
    if type(key) is not str and (not isinstance(key, str) or _is_scalar(key)):
        return False
    return key[:1] != "$"


def _is_scalar(value: Any) -> bool:
    return _is_of_numpy(value, "generic")


def _is_of_numpy(value: Any, kind: str) -> bool:
    """Tell without importing NumPy, which takes long: who has a value of it has imported it."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, getattr(numpy, kind))


def _pairs(value: dict[Any, Value]) -> list[Any]:
    return [[encode(key), encode(item)] for key, item in value.items()]


def _encode_set(value: set[Value] | frozenset[Value]) -> list[Any]:
    return sorted((encode(item) for item in value), key=dumps)


def _encode_class(value: ClassRef) -> dict[str, Any]:
    return {
        "module": value.module,
        "class_name": value.name,
        "registered_name": value.registered_name,
    }


def _encode_scalar(value: np.generic[Any]) -> dict[str, Any]:
    import numpy as np

    array = np.asarray(value)
    return {"dtype": dtype_name(array.dtype), "value": encode(array_values(array)[0])}


def _encode_array(value: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {
        "dtype": dtype_name(value.dtype),
        "shape": list(value.shape),
        "values": [encode(item) for item in array_values(value)],
    }


_TAGS: tuple[tuple[type, str, Callable[[Any], Any]], ...] = (
    (tuple, "$tuple", lambda value: [encode(item) for item in value]),
    (TensorRef, "$tensor", str),
    (VariableRef, "$variable", str),
    (ClassRef, "$class", _encode_class),
    (bytes, "$bytes", lambda value: base64.b64encode(value).decode()),
    (set, "$set", _encode_set),
    (frozenset, "$frozenset", _encode_set),
    (complex, "$complex", lambda value: [encode(value.real), encode(value.imag)]),
    (slice, "$slice", lambda value: [encode(x) for x in (value.start, value.stop, value.step)]),
    (range, "$range", lambda value: [value.start, value.stop, value.step]),
    (type(Ellipsis), "$ellipsis", lambda value: None),
)


def same(one: Value, other: Value) -> bool:
    """Tell whether two values are stored as the same bytes: 1, 1.0 and True are three values."""
    return dumps(encode(one)) == dumps(encode(other))


def decode(encoded: Any) -> Value:
    """Return the value that `encode` wrote.

    Raises:
        FormatError: an object with a `$` key that `encode` does not write.
    """
    if isinstance(encoded, list):
        return [decode(item) for item in encoded]
    if not isinstance(encoded, dict):
        return encoded
    tags = [key for key in encoded if key.startswith("$")]
    if not tags:
        return {
            key: item if type(item) in _AS_THEY_ARE else decode(item)
            for key, item in encoded.items()
        }
    if len(encoded) > 1 or tags[0] not in _DECODERS:
        raise FormatError(f"expected a single known $ key, got {sorted(encoded)}")
    try:
        return _DECODERS[tags[0]](encoded[tags[0]])
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise FormatError(f"bad {tags[0]}: {error}") from None


def _decode_float(text: str) -> float:
    if text not in ("nan", "inf", "-inf"):
        raise ValueError(f"expected nan, inf or -inf, got {text!r}")
    return float(text)


def _decode_bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"expected base64, got {text!r:.40}") from None


def _decode_dict(pairs: list[Any]) -> dict[Any, Value]:
    found = {decode(key): decode(item) for key, item in pairs}
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _decode_array(content: dict[str, Any]) -> np.ndarray[Any, Any]:
    values = [decode(item) for item in content["values"]]
    return array_from_values(content["dtype"], tuple(content["shape"]), values)


def _decode_scalar(content: dict[str, Any]) -> np.generic[Any]:
    array: Any = array_from_values(content["dtype"], (), [decode(content["value"])])
    scalar: np.generic[Any] = array[()]
    return scalar


def _decode_class(content: dict[str, Any]) -> ClassRef:
    names = [content[key] for key in ("module", "class_name", "registered_name")]
    if not isinstance(names[1], str) or not all(isinstance(x, str | type(None)) for x in names):
        raise ValueError(f"expected the names of a class, got {names}")
    return ClassRef(*names)


def _decode_null(content: None) -> Any:
    if content is not None:
        raise ValueError("expected null")
    return Ellipsis


_DECODERS: dict[str, Callable[[Any], Value]] = {
    "$tuple": lambda content: tuple(decode(item) for item in content),
    "$dict": _decode_dict,
    "$float": _decode_float,
    "$complex": lambda content: complex(*(decode(part) for part in content)),
    "$bytes": _decode_bytes,
    "$set": lambda content: {decode(item) for item in content},
    "$frozenset": lambda content: frozenset(decode(item) for item in content),
    "$slice": lambda content: slice(*(decode(part) for part in content)),
    "$range": lambda content: range(*content),
    "$ellipsis": _decode_null,
    "$array": _decode_array,
    "$scalar": _decode_scalar,
    "$tensor": TensorRef.parse,
    "$variable": VariableRef.parse,
    "$class": _decode_class,
}
