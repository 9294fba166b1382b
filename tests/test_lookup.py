"""Vocabularies: any token comes back, whatever Keras' one-token-a-line file makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kvcs
from kvcs import canon

tf: Any = pytest.importorskip("tensorflow")  # nothing else has tensors of text

TOKENS = ["a", "b\nc", "\u2028x", "é", "\r", "\x85", " ", "", "[UNK]", "tail\n"]


def lookup(**settings: Any) -> keras.Model:
    layer = keras.layers.StringLookup(**settings)
    layer.adapt(tf.constant(TOKENS))
    return keras.Sequential([keras.Input((), dtype="string"), layer])


def numbers(**settings: Any) -> keras.Model:
    layer = keras.layers.IntegerLookup(**settings)
    layer.adapt(np.array([[1, 2, 42], [42, 42, 5]]))
    return keras.Sequential([keras.Input((3,), dtype="int64"), layer])


def words(**settings: Any) -> keras.Model:
    layer = keras.layers.TextVectorization(**settings)
    layer.adapt(tf.constant(["a b c", "b b\u2028q", "zz a é"]))
    return keras.Sequential([keras.Input((), dtype="string"), layer])


PADDED = {"output_mode": "tf_idf", "max_tokens": 30, "pad_to_max_tokens": True}
TEXTS = tf.constant([*TOKENS, "unknown"])


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (lookup(), TEXTS),
        (lookup(num_oov_indices=2, mask_token="m"), TEXTS),
        (lookup(output_mode="tf_idf"), TEXTS),
        (lookup(**PADDED), TEXTS),
        (numbers(), np.array([[1, 42, 9]])),
        (numbers(mask_token=0, num_oov_indices=2), np.array([[0, 42, 9]])),
        (numbers(output_mode="tf_idf"), np.array([[1, 42, 9]])),
        (words(), tf.constant(["a b", "zz"])),
        (words(**PADDED), tf.constant(["a b", "zz"])),
    ],
)
def test_any_token_comes_back(model: keras.Model, data: Any, tmp_path: Path) -> None:
    kvcs.save(model, tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model")
    assert loaded.layers[-1].get_vocabulary() == model.layers[-1].get_vocabulary()
    assert np.array_equal(loaded(data), model(data))


def test_the_vocabulary_is_a_list_in_json(tmp_path: Path) -> None:
    model = lookup()
    kvcs.save(model, tmp_path / "model")
    stored = tmp_path / "model/layers/string_lookup/assets/vocabulary.json"
    assert canon.loads(stored.read_bytes()) == model.layers[-1].get_vocabulary()


def test_a_vocabulary_from_a_file_is_stored(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("x\ny")
    layer = keras.layers.StringLookup(vocabulary=str(tmp_path / "words.txt"))
    model = keras.Sequential([keras.Input((), dtype="string"), layer])
    kvcs.save(model, tmp_path / "model")
    (tmp_path / "words.txt").unlink()
    loaded = kvcs.load(tmp_path / "model")
    assert loaded.layers[-1].get_vocabulary() == ["[UNK]", "x", "y"]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Keras warns of the inputs it made itself
@pytest.mark.parametrize("whole", [True, False], ids=["itself", "its graph"])
def test_a_feature_space(whole: bool, tmp_path: Path) -> None:
    space = keras.utils.FeatureSpace(
        features={"word": "string_categorical", "size": "float_normalized"},
        crosses=[],
        output_mode="concat",
    )
    rows = {"word": ["a", "b\n", "a"], "size": [0.1, 0.2, 0.9]}
    space.adapt(tf.data.Dataset.from_tensor_slices(rows))
    model: Any = space
    if not whole:
        model = keras.Model(space.get_inputs(), space.get_encoded_features())
    row = {"size": tf.constant([[0.3]]), "word": tf.constant([["b\n"]])}
    before = model(row)
    kvcs.save(model, tmp_path / "model")
    assert np.array_equal(kvcs.load(tmp_path / "model")(row), before)
