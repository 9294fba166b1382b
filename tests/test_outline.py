"""Versions read one after another are what reading each of them alone gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli import nested, small
from cli import store as store_model
from networks import Network

from kvcs.checksum import sha256
from kvcs.errors import NewerFormatError
from kvcs.spec import MISSING, StateSpec, StoredModel
from kvcs.tree import reader, writer
from kvcs.tree.outline import Outline, Outliner

GOLDEN = Path(__file__).parent / "golden" / "model"


def files_of(model: StoredModel, network: Network) -> dict[str, bytes]:
    found = writer.files(model, network.contents())
    return {path: b"".join(bytes(part) for part in parts) for path, parts in found}


def files_in(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }


def outline(outliner: Outliner, files: Mapping[str, bytes]) -> Outline:
    ids = {path: sha256([data]) for path, data in files.items()}
    contents = {ids[path]: data for path, data in files.items() if path.endswith(".json")}
    return outliner.outline(ids, contents)


def assert_as_read(outliner: Outliner, files: Mapping[str, bytes]) -> Outline:
    found = outline(outliner, files)
    whole = reader.read(files, "model")
    assert found.problem == ""
    kept = replace(whole, training=MISSING, state=StateSpec(), optimizer=MISSING)
    assert repr(found.model) == repr(kept)  # arrays in configs cannot be compared
    return found


@pytest.fixture
def net() -> Network:
    net = Network()
    net.chain("InputLayer", "Dense", "BatchNormalization", "Dense")
    return net


def test_a_model_that_is_trained(net: Network) -> None:
    outliner = Outliner()
    names = set()
    for _ in range(3):
        net.nudge()
        found = assert_as_read(outliner, files_of(net.stored(), net))
        names.add(tuple(found.skeletons.items()))
    assert len(names) == 1


def test_a_model_that_is_changed(net: Network) -> None:
    outliner = Outliner()
    names = set()
    for activation in ("relu", "gelu", "tanh", "relu"):
        net.layers[2].config["activation"] = activation
        found = assert_as_read(outliner, files_of(net.stored(), net))
        names.add(tuple(found.skeletons.items()))
    assert len(names) == 3


def test_other_names_and_another_keras_are_the_same_skeleton(net: Network) -> None:
    outliner = Outliner()
    models = [
        net.stored(),
        replace(net.stored(), keras_version="3.99.0"),
        replace(net.stored(), live_names={".": "other", "layers/dense": "dense_7"}),
    ]
    found = [assert_as_read(outliner, files_of(model, net)).skeletons for model in models]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("make", [small, nested])
def test_models_inside_and_beside(make: object, tmp_path: Path) -> None:
    outliner = Outliner()
    for bias in (0.0, 1.0):
        files = files_in(store_model(tmp_path / "model", make(), bias=bias))  # type: ignore[operator]
        assert_as_read(outliner, files)


def test_one_of_everything() -> None:
    assert_as_read(Outliner(), files_in(GOLDEN))


def test_settings_that_look_like_digests(net: Network) -> None:
    outliner = Outliner()
    for digit in "ab":
        net.layers[2].config["seal"] = {"sha256": digit * 64}
        net.layers[2].config["training.json"] = digit * 64
        net.nudge()
        assert_as_read(outliner, files_of(net.stored(), net))


def test_equal_digests(net: Network) -> None:
    outliner = Outliner()
    for value in (0.0, 1.0):
        for layer in net.layers.values():
            layer.weights = {
                name: np.full_like(array, value) for name, array in layer.weights.items()
            }
        assert_as_read(outliner, files_of(net.stored(), net))


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("layers/dense/layer.json", b'"relu"', b'"gelu"'),
        ("layers/dense/layer.json", b'  "config"', b'   "config"'),
        ("layers/dense/layer.json", b'"sha256": "', b'"sha256": "0'),
        ("model.json", b'"trainable": true', b'"trainable": false'),
        ("model.json", b'"sha256": "', b'"sha256": "0'),
    ],
)
def test_damage(net: Network, path: str, old: bytes, new: bytes) -> None:
    files = files_of(net.stored(), net)
    outliner = Outliner()
    assert_as_read(outliner, files)
    assert old in files[path]
    found = outline(outliner, {**files, path: files[path].replace(old, new, 1)})
    assert found.model is None
    assert found.problem.startswith(path)
    assert_as_read(outliner, files)


def test_what_is_missing(net: Network) -> None:
    files = files_of(net.stored(), net)
    for path in files:
        left = {one: data for one, data in files.items() if one != path}
        if path != "model.json":
            assert "missing" in outline(Outliner(), left).problem


def test_a_later_format(net: Network) -> None:
    files = files_of(net.stored(), net)
    manifest = files["model.json"].replace(b'"format": 1', b'"format": 2')
    manifest = manifest.replace(b'"checksum": "', b'"checksum": "0', 1)
    with pytest.raises(NewerFormatError):
        outline(Outliner(), {**files, "model.json": manifest})
