"""The targets of `fuzz/`, on their examples, on any bytes, and on examples with some changes.

`FOUND` keeps what longer runs found, so that it stays mended.
"""

from __future__ import annotations

import random
from importlib import import_module
from typing import Any

import pytest
import strategies  # noqa: F401  (which makes hypothesis repeatable)
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import TARGETS

FOUND: list[tuple[str, bytes]] = []
TURNS = {"keras_file": 40, "keras_config": 40, "h5_file": 25, "stored_model": 60}


def target(name: str) -> Any:
    return import_module(f"fuzz.{name}")


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
