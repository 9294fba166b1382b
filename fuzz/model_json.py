"""JSON that describes a model: of Keras 3, of Keras 2, and what the latter compiled it with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py

from fuzz import keras_config, models
from fuzz.json_mutating import mutated as mutated
from kvcs import canon
from kvcs.errors import FormatError, KvcsError
from kvcs.keras2 import compile_arguments, is_plain, plain_model, upgraded_model
from kvcs.keras_files.json_text import model_of
from kvcs.tree import writer

KERAS2 = ("mlp", "recurrent", "shared", "nested", "arithmetic")


def examples() -> Iterator[bytes]:
    """Yield models of Keras 3 and 2, and what one of these was compiled with."""
    yield from keras_config.examples()
    yield b'{"layers": [{"class_name": "Dense", "units": 4, "input_shape": [8]}]}'
    for name in KERAS2:
        with h5py.File(Path(models.TESTS, "keras2", f"{name}.h5"), "r") as file:
            yield from (_text(file.attrs[key]) for key in file.attrs if key.endswith("_config"))


def _text(attribute: Any) -> bytes:
    found = attribute if isinstance(attribute, bytes) else str(attribute).encode()
    return json.dumps(json.loads(found)).encode()


def one_input(data: bytes) -> None:
    """Read a description in each of the forms."""
    with suppress(KvcsError):
        text = data.decode("utf-8", "replace")
        stored = model_of(text, "m.json")
        list(writer.files(stored, {}))
    try:
        description = canon.foreign(data)
    except FormatError:
        return
    with suppress(KvcsError):
        if is_plain(description):
            plain_model(description, _unknown)
    with suppress(KvcsError):
        upgraded_model(description, _unknown)
    with suppress(KvcsError):
        compile_arguments(description, ["dense"], _unknown)


def _unknown(name: str) -> bool:
    return False
