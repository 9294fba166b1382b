"""Whatever a graph looks like, saving and loading gives it back: models drawn by hypothesis."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import models
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers, ops
from live import assert_same, assert_same_outputs
from test_round_trip import contents

import kvcs

WIDTH = 4

names = st.one_of(
    st.none(),
    st.text("abcXYZ _.-é'\"$[]#~%:", min_size=1, max_size=12).filter(lambda name: "/" not in name),
)


def drawn_graph(draw: st.DrawFn, depth: int = 1) -> keras.Model:
    """Draw a model of a few layers: chains, branches, calls of a shared layer, nested models.

    No strategy of its own, for Keras draws seeds while it builds.
    """
    inputs = [keras.Input((WIDTH,)) for _ in range(draw(st.integers(1, 2)))]
    tensors: list[Any] = list(inputs)
    made: list[Any] = []
    used: set[str] = set()
    for _ in range(draw(st.integers(1, 7))):
        kind = draw(st.sampled_from(KINDS if depth else KINDS[:-1]))
        x = draw(st.sampled_from(tensors))
        if kind == "again" and made:
            tensors.append(draw(st.sampled_from(made))(x))
        elif kind == "join":
            tensors.append(layers.Average()([x, draw(st.sampled_from(tensors))]))
        elif kind == "operation":
            tensors.append(ops.maximum(x * 2.0, x[:, ::-1]) - ops.mean(x, axis=-1, keepdims=True))
        else:
            layer = drawn_layer(draw, kind, used, depth)
            made.append(layer)
            tensors.append(layer(x))
    outputs = draw(st.lists(st.sampled_from(tensors[len(inputs) :]), min_size=1, max_size=2))
    structure = {"b": outputs[0], "a": outputs[-1]} if draw(st.booleans()) else outputs
    return keras.Model(inputs, structure)


KINDS = ["dense", "norm", "dropout", "again", "join", "operation", "sequence", "model"]


def drawn_layer(draw: st.DrawFn, kind: str, used: set[str], depth: int) -> Any:
    name = draw(names.filter(lambda one: one not in used))
    used.add(name or "")
    if kind == "model":
        inner = drawn_graph(draw, depth - 1)
        one_in_one_out = keras.Input((WIDTH,))
        found = keras.tree.flatten(inner([one_in_one_out] * len(inner.inputs)))[0]
        return keras.Model(one_in_one_out, found, name=name)
    if kind == "sequence":
        parts = [layers.Dense(3, name=draw(names)), layers.Dense(WIDTH)]
        return keras.Sequential(parts, name=name)
    if kind == "norm":
        return layers.BatchNormalization(name=name, trainable=draw(st.booleans()))
    if kind == "dropout":
        return layers.Dropout(draw(st.floats(0, 0.9)), name=name)
    activation = draw(st.sampled_from([None, "relu", "gelu"]))
    return layers.Dense(WIDTH, activation, name=name, use_bias=draw(st.booleans()))


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_comes_back_whole(data: st.DataObject, tmp_path: Path) -> None:
    model = models.randomized(drawn_graph(data.draw))
    for directory in (tmp_path / "model", tmp_path / "again"):
        shutil.rmtree(directory, ignore_errors=True)
    kvcs.save(model, tmp_path / "model")
    assert kvcs.verify(tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model")
    assert_same(model, loaded)
    assert_same_outputs(model, loaded, [models.floats(2, WIDTH) for _ in model.inputs])
    kvcs.save(loaded, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "model")
