"""JSON changed as JSON: a change of bytes alone hardly ever leaves a document that can be read."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

# What has a meaning somewhere in the format, or is at the edge of one.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**30, 0.0, -0.0, 0.5, 1e308, "", "a", "/", "..",
    "a/b", "../b", "float32", "bfloat16", "\ud800", "\u202e", "é", "e\u0301", "CON", "$tuple",
    [], {}, [None], [[]], [0, -1], "image[0][0]", "dense[0][0]", "dense[9][9]", "layers/dense",
    "layers/dense/kernel", "0" * 64, "Lambda", "keras.layers", "3", "3.99", "x.y",
    {"$tuple": []}, {"$tuple": [1, {"$tuple": [None]}]}, {"$set": [1, "a"]}, {"$frozenset": []},
    {"$dict": [[1, 2]]}, {"$dict": [[{"$tuple": [1]}, []]]}, {"$float": "nan"}, {"$float": "inf"},
    {"$complex": [1.0, {"$float": "nan"}]}, {"$bytes": "AA=="}, {"$slice": [None, 1, 2]},
    {"$range": [0, 3, 1]}, {"$range": [0, 10**18, 1]}, {"$ellipsis": None},
    {"$tensor": "image[0][0]"}, {"$tensor": "dense[0][1]"}, {"$variable": "layers/dense/kernel"},
    {"$array": {"dtype": "float32", "shape": [1], "values": [1.5]}},
    {"$array": {"dtype": "str", "shape": [0], "values": []}},
    {"$scalar": {"dtype": "int8", "value": 3}},
    {"$class": {"class_name": "A", "module": None, "registered_name": None}},
    {"module": "keras.layers", "class_name": "Dense", "config": {}, "registered_name": None},
    {"class_name": "__lambda__", "config": {"value": ["", None, None]}},
)  # fmt: skip


def mutated(data: bytes, seed: int) -> bytes | None:
    """Return a document with some changes; None if it is no JSON."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return None
    random = Random(seed)
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        document = _changed(document, random)
    # As canonical JSON has it but for what is rare, so that a mutant is read if it can be.
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def _changed(document: Any, random: Random) -> Any:
    nodes = list(_nodes(document))
    if not nodes:
        return copy.deepcopy(random.choice(VALUES))
    parent, key = random.choice(nodes)
    action = random.randrange(6)
    if action == 0:
        del parent[key]
    elif action == 1:
        other, its_key = random.choice(nodes)
        parent[key] = copy.deepcopy(other[its_key])
    elif action == 2 and isinstance(parent, list):
        parent.insert(random.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
    elif action == 3 and isinstance(parent, dict):
        parent[random.choice((*parent, "", "$tuple", "extra", "files"))] = parent.pop(key)
    elif action == 4 and isinstance(parent[key], int | float | str):
        parent[key] = _nudged(parent[key], random)
    else:
        parent[key] = copy.deepcopy(random.choice(VALUES))
    return document


def _nudged(value: Any, random: Random) -> Any:
    if isinstance(value, str):
        at = random.randrange(len(value) + 1)
        return value[:at] + random.choice(("", "a", "/", "~1", "\n", "[", "é")) + value[at + 1 :]
    return random.choice((value + 1, -value, value * 10**9, float(value)))


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each container and key at which something stands."""
    level = [value] if isinstance(value, dict | list) else []
    while level:
        container = level.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            yield container, key
            if isinstance(container[key], dict | list):
                level.append(container[key])
