"""Files that Keras 2 saved: `.h5`, and `.keras` of 2.12 and newer."""

from __future__ import annotations

import json
import logging
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import h5py

from kvcs import canon
from kvcs.errors import FormatError, RestoreError
from kvcs.keras_io import keras2
from kvcs.keras_io.keras2_weights import load_weights
from kvcs.keras_io.words import reason
from kvcs.trust import Trust

_LOG = logging.getLogger(__name__)


def wrote(path: str) -> bool:
    """Tell whether a file was saved by Keras 2, or 1."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                version = json.loads(archive.read("metadata.json"))["keras_version"]
        else:
            with h5py.File(path) as file:
                version = file.attrs.get("keras_version", "1")
                version = version.decode() if isinstance(version, bytes) else version
                # Keras 3 before 3.3 wrote its own version here, too.
                if "model_config" not in file.attrs and "layer_names" not in file.attrs:
                    return False
    except Exception:  # of a damaged file, of which Keras says what is wrong with it
        return False
    return str(version).startswith(("1", "2."))


def load(path: str, trust: Trust | None, *, compile: bool) -> Any:  # noqa: A002  (Keras' word)
    """Load a file that Keras 2 saved; its optimizer starts afresh.

    Custom classes are those of the scope that is open.

    Raises:
        RestoreError: something in it has no equivalent in Keras 3, or it is damaged.
    """
    try:
        if zipfile.is_zipfile(path):
            return _load_archive(path, trust, compile=compile)
        with h5py.File(path) as file:
            return _load_h5(file, path, trust, compile=compile)
    except RestoreError:
        raise
    except Exception as error:  # a damaged file can make h5py or zipfile say anything
        raise RestoreError(f"{path} is damaged: {reason(error)}") from error


def _load_h5(file: Any, path: str, trust: Trust | None, *, compile: bool) -> Any:  # noqa: A002
    text = file.attrs.get("model_config")
    if text is None:
        raise RestoreError(
            f"{path} holds weights alone: export the JSON of its model with --weights {path}"
        )
    model = keras2.build(_parsed(text, "model_config", path), trust)
    load_weights(file, model, path)
    training = file.attrs.get("training_config")
    if compile and training is not None:
        keras2.compile_as(model, _parsed(training, "training_config", path), trust)
        if "optimizer_weights" in file:
            _say_what_is_left_out(path)
    return model


def _load_archive(path: str, trust: Trust | None, *, compile: bool) -> Any:  # noqa: A002
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as directory:
        description = _parsed(archive.read("config.json"), "config.json", path)
        model = keras2.build(description, trust)
        weights = archive.extract("model.weights.h5", directory)
        try:
            model.load_weights(weights)
        except Exception as error:  # h5py and Keras may say anything
            raise RestoreError(
                f"Keras 3 cannot take the weights of {path}: {reason(error)}. Save it as .h5 in "
                "Keras 2"
            ) from error
        training = description.get("compile_config")
        if compile and training is not None:
            keras2.compile_as(model, training, trust)
            with h5py.File(Path(weights)) as file:
                if "optimizer" in file:
                    _say_what_is_left_out(path)
    return model


def _say_what_is_left_out(path: str) -> None:
    _LOG.warning("%s: the state of the optimizer is left out, it starts afresh", path)


def _parsed(text: Any, name: str, path: str) -> Any:
    try:
        return canon.foreign(text)
    except (TypeError, FormatError) as error:
        raise RestoreError(f"{path}: its {name} is no JSON: {error}") from error
