from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest
from directories import NEW, OLD, put, stored_models
from hypothesis import given, settings

from kvcs.errors import DamageError, OperandError, SaveError
from kvcs.workdir import Directory


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "models/m", OLD)
    return tmp_path / "models/m"


@given(stored_models)
@settings(max_examples=30, deadline=None)
def test_a_directory_is_the_mapping_that_was_put_there(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as parent:
        put(Path(parent, "m"), files)
        directory = Directory(Path(parent, "m"))
        assert directory == files
        assert list(directory) == sorted(files)
        assert len(directory) == len(files)
        assert {path: directory.size(path) for path in directory} == {
            path: len(data) for path, data in files.items()
        }


@pytest.mark.parametrize(
    "path", ["", ".", "layers", "layers/dense", "layers//dense/layer.json", "../m/model.json", 7]
)
def test_what_is_not_listed_is_not_there(root: Path, path: str) -> None:
    directory = Directory(root)
    assert path not in directory
    assert str(root / "model.json") not in directory
    assert directory.get(path) is None
    with pytest.raises(KeyError):
        directory[str(root / "model.json")]
    with pytest.raises(KeyError):
        directory.size(path)


def test_a_file_is_read_when_it_is_asked_for(root: Path) -> None:
    directory = Directory(root)
    assert "layers/dense/layer.json" in directory
    (root / "layers/dense/layer.json").write_bytes(b"later")
    (root / "layers/dense/bias.npy").write_bytes(b"not listed")
    assert directory["layers/dense/layer.json"] == b"later"
    assert "layers/dense/bias.npy" not in directory


def test_nothing_happens_before_the_first_use(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "m")
    put(tmp_path / "m", OLD)
    assert directory == OLD


def test_no_reader_mixes_two_models(root: Path) -> None:
    directory = Directory(root)
    assert directory["model.json"] == OLD["model.json"]
    put(root, NEW)
    for path in ("model.json", "training.json"):  # changed and removed
        with pytest.raises(OperandError, match=r"m was replaced while it was read; try again$"):
            directory[path]


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(OperandError, match=r"nowhere/m: no such directory$"):
        len(Directory(tmp_path / "nowhere/m"))
    (tmp_path / "file").touch()
    with pytest.raises(OperandError, match=r"file is a file, not the directory of a model$"):
        list(Directory(tmp_path / "file"))


def test_a_link_to_a_directory_is_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    assert Directory(tmp_path / "link") == OLD


@pytest.mark.parametrize("kind", ["link", "broken link", "link to a directory", "fifo", "socket"])
def test_what_is_no_file_is_damage(root: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = root / "layers/strange.npy"
    if kind == "fifo":
        os.mkfifo(strange)
    elif kind == "socket":
        monkeypatch.chdir(strange.parent)  # the address of a socket must be short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(strange.name)
    else:
        targets = {"link": "dense/kernel.npy", "broken link": "x", "link to a directory": "dense"}
        strange.symlink_to(targets[kind])
    with pytest.raises(DamageError, match=r"m/layers/strange\.npy is neither .*; remove it$"):
        list(Directory(root))
    with pytest.raises(SaveError, match=r"m/layers/strange\.npy is no part of a stored model"):
        put(root, NEW)


def test_a_file_that_cannot_be_read(root: Path) -> None:
    directory = Directory(root)
    assert "model.json" in directory
    (root / "model.json").unlink()
    with pytest.raises(OperandError, match=r"could not read .*m/model\.json: No such file"):
        directory["model.json"]
    (root / "model.json").symlink_to("training.json")
    with pytest.raises(OperandError, match=r"could not read .*m/model\.json: Too many levels"):
        directory["model.json"]
