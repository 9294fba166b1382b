"""The targets of `fuzz/`, on their examples, on any bytes, and on examples with some changes.

`FOUND` keeps what longer runs found, so that it stays mended.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from importlib import import_module
from typing import Any

import pytest
import strategies  # noqa: F401  (which makes hypothesis repeatable)
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import TARGETS


def dense_with(config: dict[str, Any], layer: Any = None) -> bytes:
    """Return the first example of `stored_model` with something else in its dense layer."""
    document = json.loads(next(iter(target("stored_model").examples())))
    document["layers/dense/layer.json"] |= layer or {}
    document["layers/dense/layer.json"]["config"] |= config
    return json.dumps(document).encode()


def archive_with_a_name_that_is_no_text() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("ä", b"")
    return content.getvalue().replace("ä".encode(), b"\xff\xff")


def target(name: str) -> Any:
    return import_module(f"fuzz.{name}")


FOUND = [
    # A range took the room of all its numbers.
    ("layer", b'{"a": {"$scalar": {"dtype": "int64", "value": {"$range": [0, 999999999999, 1]}}}}'),
    (
        "layer",
        b'{"a": {"$array": {"dtype": "int64", "shape": [], "values": [{"$range": [0, 9, 1]}]}}}',
    ),
    # What a table looks up in a config need not be there.
    ("stored_model", dense_with({"dtype": {"class_name": "DTypePolicy", "config": None}})),
    ("stored_model", dense_with({}, {"build_config": [1, 2]})),
    ("keras_file", archive_with_a_name_that_is_no_text()),
    # A tree without an end, and an answer of a git that was killed.
    ("git_objects", b"\x00100644 model.json"),
    ("git_objects", b"\x00100644 model.json\x00short"),
    ("git_objects", b"\x01\x05abc"),
]
TURNS = {"keras_file": 40, "keras_config": 40, "h5_file": 25, "stored_model": 60}


@pytest.mark.parametrize("name", TARGETS)
def test_examples(name: str) -> None:
    examples = list(target(name).examples())
    assert examples
    for data in examples:
        target(name).one_input(data)


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes(name: str) -> None:
    @settings(max_examples=50)
    @given(st.binary(max_size=300))
    def check(data: bytes) -> None:
        target(name).one_input(data)

    check()


@pytest.mark.parametrize("name", TARGETS)
def test_changes_of_examples(name: str) -> None:
    examples = list(target(name).examples())
    mutated = getattr(target(name), "mutated", changed)

    @settings(max_examples=TURNS.get(name, 200))
    @given(st.sampled_from(examples), st.sampled_from([changed, mutated]), st.integers(0, 2**32))
    def check(data: bytes, change: Any, seed: int) -> None:
        target(name).one_input(change(data, seed))

    check()


def changed(data: bytes, seed: int) -> bytes:
    """Change bytes here and there, cut some out, or put some in twice."""
    numbers = random.Random(seed)
    found = bytearray(data)
    for _ in range(numbers.choice((1, 2, 8))):
        at = numbers.randrange(len(found) + 1)
        length = numbers.choice((1, 2, 4, 30))
        if numbers.random() < 0.6 and at < len(found):
            found[at] = numbers.randrange(256)
        elif numbers.random() < 0.5:
            del found[at : at + length]
        else:
            found[at:at] = found[max(0, at - length) : at]
    return bytes(found)


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_was_found(name: str, data: bytes) -> None:
    target(name).one_input(data)
