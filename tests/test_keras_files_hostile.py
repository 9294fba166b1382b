"""Files that were damaged, or made to do harm: each is refused with one sentence."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from kvcs.errors import RestoreError
from kvcs.keras_files import NeedsKerasError, reading

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
KERNEL = "layers/dense/vars/0"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The members of a file that Keras saved."""
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(members: dict[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile("model.keras", "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return Path("model.keras")


def refused(path: Path) -> str:
    with pytest.raises(RestoreError) as raised:
        read_all(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def read_all(path: Path) -> None:
    with reading.opened(str(path)) as found:
        for read in found.contents.values():
            read()


def left_to_keras(path: Path) -> str:
    with pytest.raises(NeedsKerasError) as raised, reading.opened(str(path)):
        pass
    return str(raised.value)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_was_packed_again_is_read(members: dict[str, bytes]) -> None:
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with reading.opened(str(pack(members, compression=compression))) as found:
            kernel = found.contents["layers/dense/kernel.npy"]()
        assert isinstance(kernel, np.ndarray)
        assert kernel.shape == (3, 2)


class TestArchive:
    @pytest.mark.parametrize("size", [0, 1, 100, 1000, -1000, -10, -1])
    def test_cut_off(self, members: dict[str, bytes], size: int) -> None:
        path = pack(members)
        path.write_bytes(path.read_bytes()[:size])
        assert refused(path) == "model.keras is no file that Keras wrote, or it is damaged"

    def test_a_bit_of_a_weight_is_another(self, members: dict[str, bytes]) -> None:
        path = pack(members)
        with h5py.File(io.BytesIO(members[WEIGHTS])) as file:
            kernel = file[KERNEL][()].tobytes()
        content = bytearray(path.read_bytes())
        content[content.index(kernel)] ^= 1
        path.write_bytes(content)
        assert refused(path) == (
            "model.keras is damaged: the checksum of model.weights.h5 in it is another"
        )

    @pytest.mark.parametrize(
        "name", ["../out", "assets/../../out", "/out", "assets//out", "C:out", "assets\\..\\out"]
    )
    def test_a_path_that_leads_out(self, members: dict[str, bytes], name: str) -> None:
        path = pack({**members, name: b""})
        assert refused(path).endswith(f"{name!r} in it leads out of the archive")

    def test_a_symbolic_link(self, members: dict[str, bytes]) -> None:
        path = pack(members)
        link = zipfile.ZipInfo("assets/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(link, "/etc/passwd")
        assert refused(path).endswith("'assets/link' in it leads out of the archive")

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_a_member_that_stands_there_twice(self, members: dict[str, bytes]) -> None:
        path = pack(members)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(CONFIG, members[CONFIG])
        assert refused(path) == "model.keras is refused: it holds config.json twice"

    def test_a_bomb(self, members: dict[str, bytes]) -> None:
        path = pack({**members, "assets/zeros": bytes(1 << 27)}, compression=zipfile.ZIP_DEFLATED)
        assert "assets/zeros in it would grow from" in refused(path)

    @pytest.mark.parametrize(
        "config",
        [b"", b"[]", b"{", b"\xff", b'{"a": 1, "a": 2}', b"[" * 100_000],
        ids=["empty", "list", "open", "bytes", "key twice", "deep"],
    )
    def test_a_config_that_is_no_json_of_keras(
        self, members: dict[str, bytes], config: bytes
    ) -> None:
        assert "config.json in model.keras is no JSON" in refused(pack({**members, CONFIG: config}))


Change = Callable[[h5py.File], Any]


def in_weights(members: dict[str, bytes], change: Change) -> Path:
    buffer = io.BytesIO(members[WEIGHTS])
    with h5py.File(buffer, "a") as file:
        change(file)
    return pack({**members, WEIGHTS: buffer.getvalue()})


def replaced(make: Change) -> Change:
    def change(file: h5py.File) -> None:
        del file[KERNEL]
        make(file)

    return change


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3, 2), "float32")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 2))
    file.create_virtual_dataset(KERNEL, layout)


def loop(file: h5py.File) -> None:
    file["layers/dense/again"] = file["layers"]


class TestWeights:
    @pytest.mark.parametrize(
        "change",
        [
            replaced(lambda file: file.__setitem__(KERNEL, h5py.SoftLink("/layers"))),
            replaced(lambda file: file.__setitem__(KERNEL, h5py.ExternalLink("other.h5", "/x"))),
            replaced(lambda file: file.create_dataset(
                KERNEL, (3, 2), "float32", external=[("/etc/passwd", 0, 24)])),
            replaced(virtual),
            loop,
            replaced(lambda file: file.__setitem__(KERNEL, file["layers/dense/vars/1"])),
            replaced(lambda file: file.create_dataset(KERNEL, data=["text"])),
            replaced(lambda file: file.create_dataset(
                KERNEL, (50_000_000, 50_000_000), "float32", chunks=(1024, 1024),
                compression="gzip")),
        ],
        ids=["soft link", "external link", "external data", "virtual", "loop", "twice", "objects",
             "bomb"],
    )  # fmt: skip
    def test_refuses(self, members: dict[str, bytes], change: Change) -> None:
        assert refused(in_weights(members, change)).startswith("model.keras is refused: ")

    def test_cut_off(self, members: dict[str, bytes]) -> None:
        path = pack({**members, WEIGHTS: members[WEIGHTS][:-500]})
        assert refused(path).startswith("model.keras is damaged: its HDF5 cannot be read")

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (
                lambda file: file.create_dataset("layers/dense/vars/2", data=[1.0]),
                "it holds layers/dense/vars/2, which belongs to no layer that is known",
            ),
            (
                replaced(lambda file: None),
                f"model.keras has no {KERNEL}, where Keras would save it",
            ),
            (
                replaced(lambda file: file.create_dataset(KERNEL, (2, 3), "float32")),
                f"{KERNEL} is of shape [2, 3], where its layer wants [3, 2]",
            ),
            (
                replaced(lambda file: file.create_dataset(KERNEL, (3, 2), "float64")),
                f"{KERNEL} is of dtype float64, and the layer of float32",
            ),
        ],
        ids=["left over", "missing", "shape", "dtype"],
    )
    def test_leaves_to_keras(
        self, members: dict[str, bytes], change: Change, sentence: str
    ) -> None:
        assert left_to_keras(in_weights(members, change)) == sentence


def with_config(members: dict[str, bytes], change: Callable[[Any], Any]) -> Path:
    config = json.loads(members[CONFIG])
    change(config)
    return pack({**members, CONFIG: json.dumps(config).encode()})


class TestConfig:
    """What is not certain is for Keras to say, which refuses it in its safe mode, or knows it."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda config: config["config"]["layers"][1].update(class_name="Lambda"),
            lambda config: config["config"]["layers"][1].update(module="os"),
            lambda config: config["config"]["layers"][1].update(registered_name="evil>Dense"),
            lambda config: config["config"]["layers"][1]["config"].update(
                activation={"module": "builtins", "class_name": "function", "config": "f"}
            ),
            lambda config: config["config"]["layers"][1]["config"].update(
                activation={"class_name": "__lambda__", "config": {"value": ["4w=="]}}
            ),
            lambda config: config["config"]["layers"][1]["config"].update(lora_rank=2),
            lambda config: config["config"]["layers"][1].pop("config"),
            lambda config: config["config"].pop("layers"),
            lambda config: config.update(config=None),
            lambda config: config["config"].update(layers=3),
            lambda config: config["config"]["layers"].append(config["config"]["layers"][1]),
        ],
    )
    def test_leaves_to_keras(self, members: dict[str, bytes], change: Callable[[Any], Any]) -> None:
        assert left_to_keras(with_config(members, change))

    @pytest.mark.parametrize("version", ["3.5.0", "4.0.0", "3.99.0", "", None])
    def test_leaves_other_versions_to_keras(
        self, members: dict[str, bytes], version: str | None
    ) -> None:
        metadata = json.dumps({"keras_version": version}).encode()
        sentence = left_to_keras(pack({**members, METADATA: metadata}))
        assert sentence == f"it was written by Keras {version}"
