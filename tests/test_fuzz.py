"""The targets of `fuzz/`, on their examples and on some changes of them: a short run of each.

`FOUND` keeps what longer runs found, so that it stays mended.
"""

from __future__ import annotations

import random
from importlib import import_module
from typing import Any

import pytest

from fuzz import TARGETS

FOUND: list[tuple[str, bytes]] = []
TURNS = {"keras_file": 40, "keras_config": 60, "h5_file": 25, "stored_model": 120}


def target(name: str) -> Any:
    return import_module(f"fuzz.{name}")


@pytest.mark.parametrize("name", TARGETS)
def test_examples_and_their_changes(name: str) -> None:
    module = target(name)
    examples = list(module.examples())
    assert examples
    for data in examples:
        module.one_input(data)
    for seed in range(TURNS.get(name, 300)):
        module.one_input(changed(examples[seed % len(examples)], seed))
        if hasattr(module, "mutated"):
            module.one_input(module.mutated(examples[seed % len(examples)], seed))


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
