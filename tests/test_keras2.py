"""What Keras 2 wrote: carried over to Keras 3 with the same predictions, or refused by name.

The fixtures are written by tf_keras itself, see tests/keras2/make.py.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from live import outputs

import kvcs
from kvcs.errors import KvcsError, RestoreError
from kvcs.keras2 import upgraded_model
from kvcs.keras_io.keras2_weights import load_weights

HERE = Path(__file__).parent / "keras2"
NAMES = sorted(path.stem for path in HERE.glob("*.h5"))


@cache
def config_text(name: str) -> str:
    with h5py.File(HERE / f"{name}.h5") as file:
        return str(file.attrs["model_config"])


def description(name: str) -> Any:
    return json.loads(config_text(name))


def kept(name: str, kind: str) -> list[np.ndarray]:
    with np.load(HERE / "predictions.npz") as file:
        found = [key for key in file if key.startswith(f"{name}/{kind}/")]
        return [file[key] for key in sorted(found)]


def assert_predicts(model: keras.Model, name: str) -> None:
    data = kept(name, "input")
    found = outputs(model, data[0] if len(data) == 1 else data)
    for mine, theirs in zip(found, kept(name, "output"), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5, rtol=0)


def upgraded(value: Any) -> Any:
    return upgraded_model(value, lambda name: False)


def sequence(*layers: Any) -> Any:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def layer(cls: str, **config: Any) -> Any:
    return {"class_name": cls, "config": {"name": cls.lower(), **config}}


def refusal(value: Any) -> str:
    with pytest.raises(RestoreError) as caught:
        upgraded(value)
    return str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_predicts_what_it_did(name: str) -> None:
    assert_predicts(kvcs.load(HERE / f"{name}.h5"), name)


@pytest.mark.parametrize("name", NAMES)
def test_json_has_the_same_layers(name: str) -> None:
    model = kvcs.model_from_json(json.dumps({**description(name), "keras_version": "2.21.0"}))
    assert not model.compiled
    with h5py.File(HERE / f"{name}.h5") as file:
        load_weights(file, model, name)
    assert_predicts(model, name)


@pytest.mark.parametrize("name", NAMES)
def test_it_can_be_saved_and_loaded(name: str, tmp_path: Path) -> None:
    kvcs.save(kvcs.load(HERE / f"{name}.h5"), tmp_path / "model")
    assert_predicts(kvcs.load(tmp_path / "model"), name)


def test_a_keras_file() -> None:
    assert_predicts(kvcs.load(HERE / "convolutional.keras"), "convolutional")


def pieces(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON text: an object or a list, and a key of it."""
    if isinstance(value, dict | list):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from pieces(item)


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_missing_or_mistaken_is_refused_in_words(name: str) -> None:
    whole = description(name)
    changed = copy.deepcopy(whole)
    for holder, key in list(pieces(changed)):
        before = copy.copy(holder)
        for wrong in ("missing", None, 7, "seven", [], {}, [1.5], True):
            if wrong == "missing":
                del holder[key]
            else:
                holder[key] = wrong
            with suppress(KvcsError):
                upgraded(changed)
            holder.clear()
            holder.update(before) if isinstance(holder, dict) else holder.extend(before)
    assert changed == whole
