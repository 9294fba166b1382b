"""A stored model becomes a `.keras` file without Keras, and Keras loads the same model from it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import models
import pytest
from live import bits, config_of, variables_of
from test_keras_files import WITHOUT_KERAS

import kvcs
from kvcs.commands.checkout import checkout
from kvcs.errors import FormatError, SaveError
from kvcs.keras_files import NeedsKerasError, reading, writing
from kvcs.keras_io.capture import capture
from kvcs.spec import TensorRef

CUSTOM = {
    "functional_with_a_layer_beside",
    "functional_with_an_argument",
    "functions_as_arguments",
    "layer_given_to_another",
    "layers_built_by_the_first_call",
    "names_alike",
    "numpy_scalars_as_arguments",
    "order_of_a_dict",
    "settings_changed_since",
    "subclassed_with_lists",
    "subclassed_with_models",
    "subclassed_with_unbuilt_layers",
    "transformer",
    "weights_as_arguments",
}
SHARED = "layer_shared_by_two_submodels"
SCALED = "policies_of_containers"
WRITTEN = sorted(models.CASES.keys() - CUSTOM - {SHARED, SCALED})


def write(model: keras.Model, path: Path) -> Path:
    captured = capture(model)
    writing.write(captured.model, captured.contents, path)
    return path


@pytest.mark.parametrize("name", WRITTEN)
def test_keras_loads_what_was_stored(name: str, tmp_path: Path) -> None:
    """As it loads what it wrote itself, which is less than what was stored."""
    model = models.built(name)
    model.save(tmp_path / "keras.keras")
    theirs = keras.models.load_model(tmp_path / "keras.keras")
    mine = keras.models.load_model(write(model, tmp_path / "mine.keras"))
    assert type(mine) is type(theirs)
    assert config_of(mine) == config_of(theirs)
    assert values(mine) == values(theirs) == values(model)
    assert [one.trainable for one in mine.variables] == [one.trainable for one in theirs.variables]


def values(model: keras.Model) -> list[tuple[str, tuple[int, ...], bytes]]:
    return [bits(one) for one in variables_of(model) if "seed_generator" not in one.path]


@pytest.mark.parametrize("name", ["convolutional", "text", "named_inputs_and_outputs"])
def test_the_same_model_has_the_same_bytes(name: str, tmp_path: Path) -> None:
    model = models.built(name)
    one, other = write(model, tmp_path / "one.keras"), write(model, tmp_path / "other.keras")
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("name", ["convolutional", "text", "recurrent_with_masking"])
def test_reading_gives_back_what_was_written(name: str, tmp_path: Path) -> None:
    kvcs.save(models.built(name), tmp_path / "model")
    checkout(str(tmp_path / "model"), tmp_path / "model.keras")
    for part in ("architecture", "weights"):
        assert kvcs.digest(tmp_path / "model.keras", part) == kvcs.digest(tmp_path / "model", part)


@pytest.mark.parametrize("name", sorted(CUSTOM))
def test_leaves_custom_classes_to_keras(name: str, tmp_path: Path) -> None:
    with pytest.raises(NeedsKerasError):
        write(models.built(name), tmp_path / "model.keras")


def test_refuses_an_optimizer_that_keras_would_not_take(tmp_path: Path) -> None:
    """A `.keras` file has no dtype policy of the model, which decides on scaling the loss."""
    kvcs.save(models.built(SCALED), tmp_path / "model")
    with pytest.raises(SaveError, match="save it without its optimizer"):
        checkout(str(tmp_path / "model"), tmp_path / "model.keras")


def test_refuses_a_layer_that_two_models_share(tmp_path: Path) -> None:
    kvcs.save(models.built(SHARED), tmp_path / "model")
    with pytest.raises(SaveError) as raised:
        checkout(str(tmp_path / "model"), tmp_path / "model.keras")
    assert str(raised.value) == (
        "layer 'layers/b/layers/trunk' is shared with 'layers/a/layers/trunk', and Keras cannot "
        "load a file of a model in which two models share a layer: use kvcs.load instead"
    )
    assert not (tmp_path / "model.keras").exists()


def test_imports_no_keras(tmp_path: Path) -> None:
    kvcs.save(models.built("convolutional"), tmp_path / "model")
    script = WITHOUT_KERAS.replace("export", "checkout")
    script = script.replace("show(sys.argv[1]), digests(sys.argv[1])", "")
    done = [sys.executable, "-c", script, str(tmp_path / "model"), str(tmp_path / "out.keras")]
    subprocess.run(done, check=True)
    with reading.opened(str(tmp_path / "out.keras")) as found:
        assert found.model.name == "sequential"


def test_a_loose_end_is_refused(tmp_path: Path) -> None:
    captured = capture(models.built("shared_layer"))
    loose = replace(captured.model.model, outputs=TensorRef(layer="nobody", call=0, output=0))
    stored = replace(captured.model, model=loose)
    with pytest.raises(FormatError, match="'nobody' is used and never made"):
        writing.write(stored, captured.contents, tmp_path / "loose.keras")
    assert list(tmp_path.iterdir()) == []
