"""Legacy `.h5` files, and files of weights alone, read without Keras."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import keras
import models
import numpy as np
import pytest
from live import bits, variables_of
from test_keras_files import files, values_of

import kvcs
from kvcs.commands.export import export
from kvcs.errors import OperandError, RestoreError
from kvcs.keras_files import NeedsKerasError, reading
from kvcs.keras_io.capture import capture
from kvcs.keras_io.files import load_file
from kvcs.spec import MISSING

LEGACY = (
    "convolutional",
    "frozen_backbone",
    "layer_shared_by_two_submodels",
    "nested_called_twice",
    "sequential_without_input",
    "shared_layer",
    "stateful",
)


@pytest.mark.filterwarnings("ignore:You are saving")
@pytest.mark.parametrize("name", LEGACY)
def test_reads_a_legacy_file_as_keras_does(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    models.built(name).save(path)
    with reading.opened(str(path)) as found:
        mine = files(replace(found.model, optimizer=MISSING), found.contents)
    captured = capture(load_file(str(path), []))
    assert mine == files(replace(captured.model, optimizer=MISSING), captured.contents)


def test_keeps_the_optimizer_of_a_legacy_file(tmp_path: Path) -> None:
    """Keras reads its variables and cannot place them."""
    model = models.built("convolutional")
    model.save(tmp_path / "model.h5")
    export(str(tmp_path / "model.h5"), tmp_path / "model")
    again = kvcs.load(tmp_path / "model")
    assert [bits(v) for v in again.optimizer.variables] == [
        bits(v) for v in model.optimizer.variables
    ]


@pytest.mark.parametrize("name", sorted(models.CASES.keys() - {*LEGACY}))
def test_leaves_other_legacy_files_to_keras(name: str, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    models.built(name).save(path)
    with pytest.raises(NeedsKerasError), reading.opened(str(path)):
        pass


@pytest.fixture
def dense(tmp_path: Path) -> keras.Model:
    model = models.randomized(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    kvcs.save(model, tmp_path / "model")
    model.fit(models.floats(4, 3), models.floats(4, 2), verbose=0)
    model.save_weights(tmp_path / "new.weights.h5")
    return model


class TestWeights:
    @pytest.mark.parametrize("name", ["convolutional", "text", "nested_called_twice"])
    def test_take_the_place_of_those_of_a_model(self, name: str, tmp_path: Path) -> None:
        kvcs.save(models.CASES[name].build(), tmp_path / "model")
        model = models.randomized(models.CASES[name].build())
        model.save_weights(tmp_path / "new.weights.h5")
        export(str(tmp_path / "new.weights.h5"), tmp_path / "model")
        assert kvcs.verify(tmp_path / "model")
        assert [bits(v) for v in values_of(kvcs.load(tmp_path / "model"))] == [
            bits(v) for v in values_of(model)
        ]

    def test_bring_their_optimizer(self, dense: keras.Model, tmp_path: Path) -> None:
        weights, model = str(tmp_path / "new.weights.h5"), str(tmp_path / "model")
        export(weights, tmp_path / "other", architecture=model)
        loaded = kvcs.load(tmp_path / "other")
        assert [bits(v) for v in variables_of(loaded)] == [bits(v) for v in variables_of(dense)]
        export(weights, tmp_path / "bare", architecture=model, optimizer=False)
        assert not (tmp_path / "bare" / "optimizer").exists()

    def test_need_a_model(self, dense: keras.Model, tmp_path: Path) -> None:
        weights = str(tmp_path / "new.weights.h5")
        with pytest.raises(OperandError, match="name the model they are of with --architecture"):
            export(weights, tmp_path / "other")
        with pytest.raises(RestoreError, match="holds weights alone"), reading.opened(weights):
            pass

    def test_of_another_model(self, dense: keras.Model, tmp_path: Path) -> None:
        other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(5)])
        other.save_weights(tmp_path / "other.weights.h5")
        with pytest.raises(RestoreError) as raised:
            export(str(tmp_path / "other.weights.h5"), tmp_path / "model")
        assert str(raised.value).endswith(
            "other.weights.h5 holds layers/dense/vars/0 as float32 [3, 5], where the model wants "
            "float32 [3, 2]"
        )

    def test_of_a_larger_model(self, dense: keras.Model, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "new.weights.h5", "a") as file:
            file["layers/dense_1/vars/0"] = np.zeros(3)
        with pytest.raises(RestoreError, match="for which the model has no place"):
            export(str(tmp_path / "new.weights.h5"), tmp_path / "model")

    def test_of_custom_classes_are_placed_by_keras(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(keras.saving.get_custom_objects(), "Letters", models.Letters)
        kvcs.save(models.CASES["names_alike"].build(), tmp_path / "model")
        model = models.built("names_alike")
        model.save_weights(tmp_path / "new.weights.h5")
        export(str(tmp_path / "new.weights.h5"), tmp_path / "model")
        loaded = kvcs.load(tmp_path / "model")
        assert [bits(v) for v in variables_of(loaded)] == [bits(v) for v in variables_of(model)]

    def test_no_architecture_for_a_whole_model(self, dense: keras.Model, tmp_path: Path) -> None:
        dense.save(tmp_path / "whole.keras")
        with pytest.raises(OperandError, match="takes no architecture from another one"):
            export(str(tmp_path / "whole.keras"), tmp_path / "x", architecture="model")
