"""`layer.json`, `training.json`, `state.json` and `optimizer/index.json`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from fuzz import models
from fuzz.json_mutating import mutated as mutated
from kvcs import canon
from kvcs.errors import FormatError
from kvcs.tree.layers import layer_from_json, layer_to_json, tensors_to_json
from kvcs.tree.training import (
    slots_from_json,
    state_from_json,
    state_to_json,
    training_from_json,
    training_to_json,
)

FORMS: tuple[tuple[Callable[[Any], Any], Callable[[Any], Any]], ...] = (
    (layer_from_json, layer_to_json),
    (training_from_json, training_to_json),
    (state_from_json, state_to_json),
    (slots_from_json, tensors_to_json),
)


def examples() -> Iterator[bytes]:
    """Yield every JSON file of the golden model but for its manifests."""
    files = models.golden().items()
    yield from (d for path, d in files if path.endswith(".json") and "model.json" not in path)


def one_input(data: bytes) -> None:
    """Read a file in each of the forms, as it is and laid out as kvcs does."""
    _read(data)
    with suppress(FormatError, ValueError):
        _read(canon.dumps(canon.foreign(data)))


def _read(data: bytes) -> None:
    for read, write in FORMS:
        try:
            found = read(canon.loads(data))
        except FormatError:
            continue
        assert canon.dumps(write(found)) == data
