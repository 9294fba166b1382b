"""The same model has the same bytes under every backend, and each reads what another wrote.

Runs where two backends are installed, as in `nox -s backends`. `exchange.py` is run under each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from importlib.util import find_spec
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from exchange import contents

INSTALLED = [name for name in ("tensorflow", "jax", "torch") if find_spec(name)]
PAIRS = list(permutations(INSTALLED, 2))

pytestmark = pytest.mark.skipif(not PAIRS, reason="One backend is installed; nox has sessions.")

# Paths of cases and their files that truly differ, and why. docs/testing.md says the same.
DIFFER = {
    "*/optimizer/*iterations.npy": "int64 with TensorFlow, int32 elsewhere",
    "*/optimizer/step_counter.npy": "int64 with TensorFlow, int32 elsewhere",
    "*/optimizer/index.json": "the dtype of these",
    "*/training.json": "Keras settles jit_compile='auto' differently",
    "stateful/state*": "the state was computed, and rounding differs",
    "numpy_scalars_as_arguments/model.json": "a double makes a double with TensorFlow alone",
    "operations_as_layers/model.json": "a double makes a double with TensorFlow alone",
    "settings_changed_since/layers/plain/*": "JAX has no doubles",
    "layers_built_by_the_first_call/layers/*/layer.json": "torch traces a batch of 83",
}


def run(backend: str, command: str, place: Path) -> str:
    """Run `exchange.py` under a backend, and return what it prints last."""
    script = Path(__file__).with_name("exchange.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), command, str(place)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{backend}\n{done.stderr}"
    return done.stdout.rpartition("\n{")[2] if "\n{" in done.stdout else done.stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return where each backend wrote the models."""
    root = tmp_path_factory.mktemp("backends")
    for backend in INSTALLED:
        run(backend, "write", root / backend)
    return {backend: root / backend for backend in INSTALLED}


@pytest.mark.parametrize("other", INSTALLED[1:])
def test_the_same_bytes(other: str, written: dict[str, Path]) -> None:
    found = [undigested(contents(written[backend])) for backend in (INSTALLED[0], other)]
    assert found[0].keys() == found[1].keys()
    differ = {path for path in found[0] if found[0][path] != found[1][path]}
    assert {path for path in differ if not any(fnmatch(path, known) for known in DIFFER)} == set()


def undigested(files: dict[str, bytes]) -> dict[str, Any]:
    """Read the JSON among files, without digests: they differ wherever a file does."""
    return {
        path: without_digests(json.loads(data)) if path.endswith(".json") else data
        for path, data in files.items()
    }


def without_digests(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in ("sha256", "checksum")}
        return {
            key: sorted(item) if key == "files" else without_digests(item)
            for key, item in kept.items()
        }
    return [without_digests(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("writer", "reader"), PAIRS)
def test_reads_what_another_wrote(writer: str, reader: str, written: dict[str, Path]) -> None:
    problems = json.loads(run(reader, "read", written[writer]))
    assert problems == {}
