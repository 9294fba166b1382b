"""KerasHub models: their config holds no layers, and yet each layer has files of its own.

Run by `nox -s keras_hub`; skipped where KerasHub is not installed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from live import assert_same_outputs, bits, names_of, variables_of

import kvcs

# What Keras and KerasHub say while they quantise and train; loading must say nothing.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method"),
    pytest.mark.filterwarnings("ignore:`shuffle=True` was passed"),
]

hub: Any = pytest.importorskip("keras_hub", exc_type=ImportError)

SMALL = {"num_layers": 2, "hidden_dim": 8, "intermediate_dim": 16, "vocabulary_size": 30}
TOKENS = {"token_ids": np.ones((2, 8), "int32"), "padding_mask": np.ones((2, 8), "int32")}
SEGMENTS = TOKENS | {"segment_ids": np.zeros((2, 8), "int32")}


def bert() -> keras.Model:
    return hub.models.BertBackbone(num_heads=2, max_sequence_length=8, **SMALL)


def gpt2() -> keras.Model:
    return hub.models.GPT2Backbone(num_heads=2, max_sequence_length=8, **SMALL)


def llama() -> keras.Model:
    return hub.models.LlamaBackbone(num_query_heads=2, num_key_value_heads=1, **SMALL)


def gemma() -> keras.Model:
    return hub.models.GemmaBackbone(num_query_heads=2, num_key_value_heads=1, head_dim=4, **SMALL)


def gemma_with_lora() -> keras.Model:
    model = gemma()
    model.enable_lora(2)
    return model


def gemma_in_int8() -> keras.Model:
    model = gemma()
    model.quantize("int8")
    return model


def classifier() -> keras.Model:
    model = hub.models.BertTextClassifier(backbone=bert(), num_classes=2, preprocessor=None)
    model.fit(SEGMENTS, np.array([0, 1]), verbose=0)
    return model


def language_model() -> keras.Model:
    model = hub.models.GPT2CausalLM(backbone=gpt2(), preprocessor=None)
    model.compile(sampler="greedy")
    return model


@pytest.mark.parametrize(
    ("build", "data"),
    [
        (bert, SEGMENTS),
        (gpt2, TOKENS),
        (llama, TOKENS),
        (gemma, TOKENS),
        (gemma_with_lora, TOKENS),
        (gemma_in_int8, TOKENS),
        (classifier, SEGMENTS),
        (language_model, TOKENS),
    ],
)
def test_comes_back_whole(build: Callable[[], keras.Model], data: Any, tmp_path: Path) -> None:
    model = build()
    kvcs.save(model, tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model")
    assert type(loaded) is type(model)
    assert names_of(loaded) == names_of(model)
    assert [bits(v) for v in variables_of(loaded)] == [bits(v) for v in variables_of(model)]
    assert [v.trainable for v in loaded.variables] == [v.trainable for v in model.variables]
    kvcs.save(loaded, tmp_path / "again")
    assert kvcs.digest(tmp_path / "again") == kvcs.digest(tmp_path / "model")
    assert_same_outputs(model, loaded, data)


def test_every_layer_has_its_directory(tmp_path: Path) -> None:
    kvcs.save(bert(), tmp_path / "model")
    layers = tmp_path / "model/layers"
    kernel = layers / "transformer_layer_0/self_attention_layer/query_dense/kernel.npy"
    assert np.load(kernel).shape == (8, 2, 4)


def test_the_sampler_of_a_language_model_is_kept(tmp_path: Path) -> None:
    kvcs.save(language_model(), tmp_path / "model")
    sampler = kvcs.load(tmp_path / "model").sampler
    assert type(sampler) is hub.samplers.GreedySampler
