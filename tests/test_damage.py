"""Damage to a directory: `verify` notices all of it, `load` what matters, and neither falls over.

`tests/test_verify.py` flips a bit of each byte of a model that holds one of everything; here a
small model is damaged in every way, also in those that no checksum is for.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli import kvcs as run
from cli import nested, small, store

import kvcs
from kvcs.errors import KvcsError, NewerFormatError
from kvcs.tree import reader
from kvcs.tree.verify import verify
from kvcs.workdir import Directory


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a small model, with an optimizer's variable."""
    return dict(Directory(store(tmp_path_factory.mktemp("small") / "m", small())))


@pytest.fixture(scope="module")
def nested_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a model with a model inside."""
    return dict(Directory(store(tmp_path_factory.mktemp("nested") / "m", nested())))


def damages(data: bytes, masks: tuple[int, ...], step: int = 1) -> Iterator[tuple[str, bytes]]:
    """Yield each byte flipped, each truncation, and some bytes too many."""
    for at, byte in [*enumerate(data)][::step]:
        yield f"cut to {at} bytes", data[:at]
        for mask in masks:
            flipped = data[:at] + bytes([byte ^ mask]) + data[at + 1 :]
            yield f"byte {at} xor {mask:#x}", flipped
    for more in (b"\0", b"\n", b" ", data):
        yield f"followed by {len(more)} bytes", data + more


def noticed(files: dict[str, bytes], path: str) -> bool:
    """Whether both ways to look at a model notice that a file is another one."""
    try:
        if verify(files, "m"):
            return False
    except NewerFormatError:
        assert path.endswith("model.json")
    try:
        stored = reader.read(files, "m")
        for get in reader.Contents(files, stored, "m").values():
            get()
    except KvcsError:
        return True
    return False


def check_every_damage(files: dict[str, bytes], masks: tuple[int, ...], step: int = 1) -> None:
    for path, data in files.items():
        for what, damaged in damages(data, masks, step):
            assert noticed({**files, path: damaged}, path), f"{path}, {what}"


def test_bytes_of_every_file(files: dict[str, bytes]) -> None:
    check_every_damage(files, (0x01,), step=3)


@pytest.mark.slow
def test_every_bit_of_every_byte(files: dict[str, bytes], nested_files: dict[str, bytes]) -> None:
    for each in (files, nested_files):
        check_every_damage(each, (*(1 << bit for bit in range(8)), 0xFF))


def test_every_two_files_that_changed_places(files: dict[str, bytes]) -> None:
    for one in files:
        for other in files:
            if files[one] != files[other]:
                swapped = {**files, one: files[other], other: files[one]}
                assert noticed(swapped, one), (one, other)


def test_every_file_that_is_missing_empty_or_twice(files: dict[str, bytes]) -> None:
    for path, data in files.items():
        assert noticed({**files, path: b""}, path)
        left = {other: each for other, each in files.items() if other != path}
        if path != "model.json":
            assert noticed(left, path)
        for extra in (f"{path}~", path.upper(), f"{path}/again", f"more/{path}"):
            report = verify({**files, extra: data}, "m")
            assert [(each.kind, each.path) for each in report.problems] == [("extra", extra)]


# --- on the disk ---------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return store(Path("m"), small())


KERNEL, LAYER = "layers/dense/kernel.npy", "layers/dense/layer.json"


def as_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_full_directory(path: Path) -> None:
    content = path.read_bytes()
    as_directory(path)
    (path / path.name).write_bytes(content)


def as_link(path: Path) -> None:
    path.rename("elsewhere")
    path.symlink_to(Path("elsewhere").absolute())


def as_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("path", [KERNEL, LAYER, "model.json", "training.json", "state.json"])
@pytest.mark.parametrize("damage", [as_directory, as_full_directory, as_link, as_pipe])
def test_something_else_in_the_place_of_a_file(
    model: Path, path: str, damage: Callable[[Path], None]
) -> None:
    damage(model / path)
    done = run("verify", "m")
    assert (done.code, done.err) == (1, ""), done
    for look in (["show"], ["digest"], ["digest", "--manifest"], ["diff", "m"]):
        seen = run(*look, "m")
        tensor = path == KERNEL and damage in (as_directory, as_full_directory)
        if seen.code == 2:
            assert len(seen.err.splitlines()) == 1
        else:
            assert tensor or look[0] == "diff", (look, seen)  # they read no tensor


def test_a_file_in_the_place_of_a_directory(model: Path) -> None:
    shutil.rmtree(model / "layers")
    (model / "layers").write_text("gone")
    done = run("verify", "m")
    assert (done.code, done.err) == (1, "")
    assert "layers/dense/layer.json" in done.out


def test_what_means_nothing(model: Path) -> None:
    """Permissions, times, empty directories, and a second name for the same file."""
    for path in model.rglob("*"):
        if path.is_file():
            path.chmod(0o755)
            os.utime(path, (0, 0))
    (model / "layers/empty/below").mkdir(parents=True)
    os.link(model / KERNEL, "another")
    assert run("verify", "m").code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read(model: Path) -> None:
    (model / KERNEL).chmod(0)
    done = run("verify", "m")
    assert (done.code, "Permission denied" in done.err) == (2, True)


# --- load ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that Keras made, with an asset, seeds, and an optimizer's variables."""
    import keras
    import numpy as np

    words = keras.layers.TextVectorization(max_tokens=4, vocabulary=["a", "b"])
    text = keras.Input((), dtype="string", name="text")
    numbers = keras.layers.Embedding(4, 2)(words(text))
    pooled = keras.layers.GlobalAveragePooling1D()(numbers)
    out = keras.layers.Dense(1)(keras.layers.Dropout(0.5, seed=1)(pooled))
    model = keras.Model(text, out)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    model.optimizer.build(model.trainable_variables)
    assert np.all(np.isfinite(model.get_weights()[0]))
    path = tmp_path_factory.mktemp("live") / "m"
    kvcs.save(model, path)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest model that Keras trains."""
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    path = tmp_path_factory.mktemp("tiny") / "m"
    kvcs.save(model, path)
    return path


def check_loads(live: Path, tmp_path: Path, choose: Callable[[bytes], list[bytes]]) -> None:
    shutil.copytree(live, tmp_path / "m")
    for path, data in dict(Directory(live)).items():
        for damaged in choose(data):
            (tmp_path / "m" / path).write_bytes(damaged)
            with pytest.raises(KvcsError):
                kvcs.load(tmp_path / "m")
        (tmp_path / "m" / path).write_bytes(data)
    assert kvcs.digest(kvcs.load(tmp_path / "m")) == kvcs.digest(live)


def test_load_notices_damage(live: Path, tmp_path: Path) -> None:
    def some(data: bytes) -> list[bytes]:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        return [flipped, data[:-1] + bytes([data[-1] ^ 1]), data[:middle], data + b"\0"]

    check_loads(live, tmp_path, some)


@pytest.mark.slow
def test_load_notices_every_damage(tiny: Path, tmp_path: Path) -> None:
    check_loads(tiny, tmp_path, lambda data: [each for _, each in damages(data, (0x01,))])
