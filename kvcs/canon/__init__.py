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

| module        | its job                                  |
|---------------|------------------------------------------|
| `text.py`     | JSON as text: `dumps`, `loads`           |
| `encoding.py` | what JSON lacks as tagged JSON: `encode` |
| `decoding.py` | and back: `decode`                       |
"""

from __future__ import annotations

from kvcs.canon.decoding import TAGS, decode
from kvcs.canon.encoding import OBJECT_KEYS, encode, encode_schema, is_object, same
from kvcs.canon.text import INVISIBLE, dumps, foreign, loads, parsed

__all__ = [
    "INVISIBLE",
    "OBJECT_KEYS",
    "TAGS",
    "decode",
    "dumps",
    "encode",
    "encode_schema",
    "foreign",
    "is_object",
    "loads",
    "parsed",
    "same",
]
