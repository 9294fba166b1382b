"""A live model, saved and loaded, is the same model: the promise everything else stands on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import models
import numpy as np
import pytest
from live import assert_same, assert_same_outputs

import kvcs


@pytest.fixture(params=sorted(models.CASES))
def case(request: pytest.FixtureRequest) -> models.Case:
    return models.CASES[request.param]


def test_comes_back_whole(case: models.Case, tmp_path: Path) -> None:
    model = models.built(case.name)
    kvcs.save(model, tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model", custom_objects=case.custom_objects)
    assert_same(model, loaded)
    assert_same_outputs(model, loaded, case.data())


def test_saved_again_after_loading_is_the_same_bytes(case: models.Case, tmp_path: Path) -> None:
    kvcs.save(models.built(case.name), tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model", custom_objects=case.custom_objects)
    kvcs.save(loaded, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "model")


def test_rebuilt_in_the_same_process_differs_in_live_names_alone(
    case: models.Case, tmp_path: Path
) -> None:
    kvcs.save(models.built(case.name), tmp_path / "model")
    kvcs.save(models.built(case.name), tmp_path / "rebuilt")
    one, other = contents(tmp_path / "model"), contents(tmp_path / "rebuilt")
    differ = {path for path in one if one[path] != other.get(path)}
    # Seeds are drawn anew, and stand apart with other state.
    assert all(path == "model.json" or path.startswith("state") for path in differ)
    assert one.keys() == other.keys()
    assert without_live_names(one["model.json"]) == without_live_names(other["model.json"])
    for part in ("architecture", "weights"):
        assert kvcs.digest(tmp_path / "model", part) == kvcs.digest(tmp_path / "rebuilt", part)


def test_verifies_and_keeps_its_digest(case: models.Case, tmp_path: Path) -> None:
    model = models.built(case.name)
    kvcs.save(model, tmp_path / "model")
    assert kvcs.verify(tmp_path / "model")
    assert kvcs.digest(tmp_path / "model") == kvcs.digest(model)


def test_saving_again_touches_no_file(tmp_path: Path) -> None:
    model = models.built("convolutional")
    kvcs.save(model, tmp_path / "model")
    before = stats(tmp_path)
    saved = kvcs.save(model, tmp_path / "model")
    assert stats(tmp_path) == before
    assert not saved.written
    assert not saved.removed


def test_one_changed_weight_writes_its_file_its_layer_and_the_manifest(tmp_path: Path) -> None:
    model = models.built("convolutional")
    kvcs.save(model, tmp_path / "model")
    model.get_layer("classes").bias.assign([1.0, 2.0, 3.0])
    saved = kvcs.save(model, tmp_path / "model")
    assert saved.written == ("layers/classes/bias.npy", "layers/classes/layer.json", "model.json")


def test_a_layer_that_is_gone_leaves_no_file(tmp_path: Path) -> None:
    kvcs.save(models.built("convolutional"), tmp_path / "model")
    small = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    kvcs.save(small, tmp_path / "model")
    assert kvcs.verify(tmp_path / "model")
    assert not (tmp_path / "model" / "layers" / "classes").exists()


def test_optimizer_can_be_left_out(tmp_path: Path) -> None:
    model = models.built("convolutional")
    kvcs.save(model, tmp_path / "model", optimizer=False)
    assert not (tmp_path / "model" / "optimizer").exists()
    loaded = kvcs.load(tmp_path / "model")
    assert loaded.compiled
    assert_same_outputs(model, loaded, models.CASES["convolutional"].data())


def test_load_uncompiled(tmp_path: Path) -> None:
    kvcs.save(models.built("convolutional"), tmp_path / "model")
    assert not kvcs.load(tmp_path / "model", compile=False).compiled


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Dropout, BatchNormalization and Adam: two epochs, a save, two more, as four in one go."""
    data = models.floats(32, 8, 8, 1), models.integers(32, below=3)
    options = {"verbose": 0, "shuffle": False, "batch_size": 8}
    model = models.built("convolutional")
    model.fit(*data, epochs=2, **options)
    kvcs.save(model, tmp_path / "model")
    uninterrupted = model.fit(*data, epochs=2, **options).history["loss"]
    resumed = kvcs.load(tmp_path / "model").fit(*data, epochs=2, **options).history["loss"]
    assert resumed == uninterrupted


def test_nested_model_loads_by_itself(tmp_path: Path) -> None:
    model = models.built("nested_called_twice")
    kvcs.save(model, tmp_path / "model")
    inner = kvcs.load(tmp_path / "model" / "layers" / "inner")
    assert_same_outputs(model.get_layer("inner"), inner, models.floats(2, 3))


def test_a_shared_layer_is_one_object_and_one_file(tmp_path: Path) -> None:
    kvcs.save(models.built("layer_shared_by_two_submodels"), tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model")
    a, b = loaded.get_layer("a"), loaded.get_layer("b")
    assert a.get_layer("trunk") is b.get_layer("trunk")
    assert len(list((tmp_path / "model").rglob("kernel.npy"))) == 1


SAVE = """
import sys
sys.path.insert(0, sys.argv[1])
from test_round_trip import save_all
save_all(sys.argv[2])
"""


def save_all(directory: Path | str) -> None:
    keras.utils.set_random_seed(0)
    for name in sorted(models.CASES):
        keras.utils.clear_session()
        kvcs.save(models.built(name), f"{directory}/{name}")


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """Another hash seed than ours, so that no order of a set or dict can hide in a file."""
    seed = "77" if os.environ.get("PYTHONHASHSEED") != "77" else "1"
    command = [sys.executable, "-W", "ignore", "-c", SAVE, str(Path(__file__).parent)]
    with subprocess.Popen(
        [*command, str(tmp_path / "theirs")], env={**os.environ, "PYTHONHASHSEED": seed}
    ) as running:
        save_all(tmp_path / "ours")
    assert running.returncode == 0
    ours, theirs = contents(tmp_path / "ours"), contents(tmp_path / "theirs")
    assert ours == theirs
    assert len(ours) > 100


@pytest.mark.parametrize(
    "name",
    [
        "ResNet50",
        "EfficientNetB0",
        "MobileNetV3Small",
        pytest.param("NASNetMobile", marks=pytest.mark.slow),  # of 769 layers
    ],
)
def test_applications(name: str, tmp_path: Path) -> None:
    """With small images: they make another prediction, and the same layers and weights."""
    build = getattr(keras.applications, name)
    model = models.randomized(build(weights=None, input_shape=(64, 64, 3)))
    kvcs.save(model, tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model")
    assert_same(model, loaded)
    images = np.random.default_rng(3).uniform(0, 255, (1, 64, 64, 3))
    assert_same_outputs(model, loaded, images)
    kvcs.save(loaded, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(tmp_path / "model")


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def stats(root: Path) -> dict[Path, tuple[int, int, int]]:
    found = {path: path.stat() for path in root.rglob("*")}
    return {path: (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in found.items()}


def without_live_names(manifest: bytes) -> dict[str, object]:
    import json

    found = json.loads(manifest)
    found.pop("live_names", None)
    found.get("files", {}).pop("state.json", None)
    return found  # type: ignore[no-any-return]
