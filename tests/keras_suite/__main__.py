"""Run Keras' own tests through kvcs: `python tests/keras_suite [--short] [pytest options]`."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent

# What Keras calls a model passes through these packages; the wheel ships their tests.
PACKAGES = ("layers", "saving", "models", "optimizers")
ENOUGH = 570

# A handful of files that need nothing beyond kvcs[test], and take some fifteen seconds.
SHORT = (
    "layers.core.dense_test",
    "layers.rnn.lstm_test",
    "layers.convolutional.separable_conv_test",
    "layers.normalization.batch_normalization_test",
    "layers.regularization.dropout_test",
    "layers.rnn.bidirectional_test",
    "layers.preprocessing.index_lookup_test",
    "layers.attention.multi_head_attention_test",
    "saving.saving_api_test",
)
ENOUGH_FOR_SHORT = 50


def arguments(given: list[str]) -> list[str]:
    """Return what pytest is called with."""
    short = "--short" in given
    modules, enough = (SHORT, ENOUGH_FOR_SHORT) if short else (PACKAGES, ENOUGH)
    return [
        *("-p", "keras_suite.plugin", "-c", str(HERE / "pytest.ini"), f"--rootdir={keras_src()}"),
        "--noconftest",  # Keras' tests import a module `conftest`: it must not be kvcs' own
        f"--enough={enough}",
        *(["--direct"] if short else []),
        *(option for option in given if option != "--short"),
        "--pyargs",
        *(f"keras.src.{module}" for module in modules),
    ]


def keras_src() -> Path:
    """Return the directory that the names of Keras' tests are relative to."""
    keras = find_spec("keras")
    if keras is None or keras.origin is None:
        raise SystemExit("Keras is not installed here: pip install -e '.[test]'")
    return Path(keras.origin).parent / "src"


def main() -> int:
    """Run the suite in this process, and return pytest's exit code."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")
    sys.path[0] = str(HERE.parent)
    import pytest

    return int(pytest.main(arguments(sys.argv[1:])))


if __name__ == "__main__":
    raise SystemExit(main())
