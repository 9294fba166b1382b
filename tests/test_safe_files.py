"""Files made to do harm before anything is built: too large, too deep, twice, or elsewhere."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import hostile
import keras
import numpy as np
import pytest
from cli import kvcs as run
from cli import store

import kvcs
from kvcs import canon
from kvcs.errors import FormatError, KvcsError, RefusedError, RestoreError
from kvcs.spec import TensorRef
from kvcs.tree.verify import verify
from kvcs.workdir import Directory

SECRET = "secret.txt"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(SECRET).write_bytes(np.full(64, 7, "float32").tobytes())


def refused(*arguments: str) -> str:
    """As `cli.refused`, which reads all that is here, and these files are not to be read."""
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    [line] = done.err.splitlines()
    return line.removeprefix("kvcs: ")


# --- what stands in a directory ------------------------------------------------------------------


def test_a_pipe_is_not_waited_for() -> None:
    """Nor where kvcs looks for models by itself."""
    os.mkfifo("model.json")
    assert "no model directory here" in refused("verify")
    store(Path("model"))
    os.mkfifo("model/layers/pipe")
    assert "is neither a file nor a directory" in run("verify", "model").out
    assert "is neither a file nor a directory" in refused("show", "model")


def test_a_pipe_in_the_place_of_a_file_that_was_listed(tmp_path: Path) -> None:
    store(Path("model"))
    files = Directory(tmp_path / "model")
    assert len(files) > 1
    Path("model/model.json").unlink()
    os.mkfifo("model/model.json")
    with pytest.raises(KvcsError, match="no regular file"):
        files["model.json"]


def test_a_link_is_not_followed() -> None:
    store(Path("model"))
    Path("model/layers/link").symlink_to(Path(SECRET).absolute())
    assert "is neither a file nor a directory" in refused("show", "model")
    Path("model/layers/link").unlink()
    Path("model/elsewhere").symlink_to("/", target_is_directory=True)
    assert "is neither a file nor a directory" in refused("show", "model")


def test_directories_without_an_end() -> None:
    store(Path("model"))
    here = Path.cwd()
    os.chdir("model")
    for _ in range(300):
        Path("d").mkdir()
        os.chdir("d")
    os.chdir(here)
    assert "more than 200 directories deep" in refused("show", "model")


def test_a_file_that_claims_to_be_huge() -> None:
    """It takes no room on the disk, and would take a terabyte of memory."""
    kvcs.save(hostile.honest(), "model")
    os.truncate("model/layers/victim/kernel.npy", 1 << 40)
    done = run("verify", "model")
    assert done.code == 1
    assert "kernel.npy (layer layers/victim): altered: 1,099,511,627,776 bytes are far" in done.out
    with pytest.raises(KvcsError, match="far more than it should have"):
        kvcs.load("model")
    os.truncate("model/model.json", 1 << 40)
    assert "far more than it should have" in refused("show", "model")


def test_two_paths_that_some_file_system_takes_for_one() -> None:
    captured = hostile.capture(hostile.honest())
    model = captured.model.model
    one, other = "\N{LATIN SMALL LETTER E WITH ACUTE}", "e\N{COMBINING ACUTE ACCENT}"
    entries = tuple(
        replace(entry, layer=replace(entry.layer, assets={one: "", other: ""}))  # type: ignore[type-var]
        if entry.name == "victim" else entry
        for entry in model.layers
    )  # fmt: skip
    stored = replace(captured.model, model=replace(model, layers=entries))
    contents = {**captured.contents} | {
        f"layers/victim/assets/{name}": lambda: b"" for name in (one, other)
    }
    files = {
        path: b"".join(bytes(part) for part in parts)
        for path, parts in hostile.writer.files(stored, contents)
    }
    assert [problem.message for problem in verify(files, "model").problems] == [
        "differs from another path only by case"
    ]


# --- what stands in a revision -------------------------------------------------------------------


def git(*arguments: str, given: bytes = b"") -> str:
    done = subprocess.run(["git", *arguments], input=given, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    ("mode", "said"), [("120000", "a symbolic link"), ("160000", "a submodule")]
)
def test_what_is_no_file_in_a_revision(mode: str, said: str) -> None:
    git("init", "-q")
    blob = git("hash-object", "-w", "--stdin", given=b"/etc/passwd")
    commit = git("commit-tree", git("mktree"), "-m", "empty")
    git("update-index", "--add", "--cacheinfo", f"{mode},{commit if mode[1] == '6' else blob},m/x")
    blob = git("hash-object", "-w", "--stdin", given=b"{}")
    git("update-index", "--add", "--cacheinfo", f"100644,{blob},m/model.json")
    git("commit", "-q", "-m", "x")
    assert f"'x' is {said}" in refused("show", "HEAD:m")
    assert f"'x' is {said}" in refused("show", ":m")


def test_a_name_that_stands_twice_in_a_tree() -> None:
    """So that one reader sees the first, and another one the last."""
    git("init", "-q")
    blobs = [git("hash-object", "-w", "--stdin", given=text) for text in (b"{}", b"[]")]
    tree = b"".join(b"100644 model.json\0" + bytes.fromhex(blob) for blob in blobs)
    name = git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", given=tree)
    above = git("mktree", given=f"040000 tree {name}\tm\n".encode())
    commit = git("commit-tree", above, "-m", "x")
    assert "'model.json' stands there twice" in refused("show", f"{commit}:m")


# --- JSON ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"class_name": "Dense", "class_name": "Lambda"}', "key 'class_name' stands twice"),
        ('{"a": ' * 300 + "1" + "}" * 300, "nested more than 250 deep"),
        ('{"a": ' * 200_000, "not JSON: maximum recursion depth"),
        ('{"a": ' + "9" * 1_000_000 + "}", "a number of 1,000,000 digits"),
        ("", "not JSON: Expecting value"),
    ],
)
def test_json_that_reads_in_two_ways_or_not_at_all(text: str, said: str) -> None:
    with pytest.raises(RestoreError, match=said):
        kvcs.model_from_json(text)
    Path("model.json").write_text(text)
    assert said in refused("export", "model.json", "out", "--weights", "fresh")


def test_an_array_of_texts_that_takes_more_room_than_they_do() -> None:
    values = ["a" * 100_000, *["b"] * 100_000]
    content = {"dtype": "str", "shape": [len(values)], "values": values}
    with pytest.raises(FormatError, match="the room of 10,000,100,000 characters"):
        canon.decode({"$array": content})


# --- files of Keras ------------------------------------------------------------------------------


def members() -> dict[str, bytes]:
    hostile.honest().save("model.keras")
    with zipfile.ZipFile("model.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(given: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile("model.keras", "w", compression) as archive:
        for name, data in given.items():
            archive.writestr(name, data)


def both(said: str) -> None:
    """Assert that neither Keras is let near a file, nor kvcs' own reader."""
    with pytest.raises(RestoreError, match=said):
        kvcs.load("model.keras")
    assert said.replace("\\", "") in refused("show", "model.keras")


@pytest.mark.parametrize("name", ["../out", "assets/../../out", "/out", "C:out", "a\\..\\..\\out"])
def test_a_member_that_leads_out(name: str, tmp_path: Path) -> None:
    pack({**members(), name: b"ran"})
    before = sorted(tmp_path.rglob("*")), sorted(tmp_path.parent.iterdir())
    both("leads out of the archive")
    assert (sorted(tmp_path.rglob("*")), sorted(tmp_path.parent.iterdir())) == before


def test_members_that_differ_in_case() -> None:
    pack({**members(), "assets/a": b"", "assets/A": b""})
    both("two names in it differ only in case")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice() -> None:
    found = members()
    pack(found)
    with zipfile.ZipFile("model.keras", "a") as archive:
        archive.writestr("config.json", hostile.as_json(LAMBDA))
    both("it holds config.json twice")


LAMBDA = {"module": "keras.layers", "class_name": "Lambda", "config": {}, "registered_name": None}


def test_one_bomb() -> None:
    pack({**members(), "assets/zeros": bytes(1 << 27)}, zipfile.ZIP_DEFLATED)
    both("assets/zeros in it would grow from")


def test_many_small_bombs() -> None:
    zeros = bytes(1 << 24)
    pack({**members(), **{f"assets/{n}": zeros for n in range(8)}}, zipfile.ZIP_DEFLATED)
    both("is refused: it would grow from")


def hdf5(change: Callable[[Any], None]) -> None:
    found = members()
    content = io.BytesIO(found["model.weights.h5"])
    with h5py.File(content, "a") as file:
        change(file)
    pack({**found, "model.weights.h5": content.getvalue()})


KERNEL = "layers/dense/vars/0"


def external(file: Any) -> None:
    del file[KERNEL]
    where = [(str(Path(SECRET).absolute()), 0, 24)]
    file.create_dataset(KERNEL, (3, 2), "float32", external=where)


def external_link(file: Any) -> None:
    del file[KERNEL]
    with h5py.File("other.h5", "w") as other:
        other["kernel"] = np.full((3, 2), 7, "float32")
    file[KERNEL] = h5py.ExternalLink(str(Path("other.h5").absolute()), "/kernel")


def soft_link(file: Any) -> None:
    del file[KERNEL]
    file[KERNEL] = h5py.SoftLink("/layers/dense/vars/1")


def virtual(file: Any) -> None:
    del file[KERNEL]
    layout = h5py.VirtualLayout((3, 2), "float32")
    with h5py.File("other.h5", "w") as other:
        other["kernel"] = np.full((3, 2), 7, "float32")
    layout[:] = h5py.VirtualSource(str(Path("other.h5").absolute()), "kernel", (3, 2))
    file.create_virtual_dataset(KERNEL, layout)


def bomb(file: Any) -> None:
    """CVE-2026-0897: terabytes that take no room."""
    del file[KERNEL]
    file.create_dataset(KERNEL, (50_000_000, 50_000_000), "float32", chunks=True,
                        compression="gzip")  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (external, "the data of layers/dense/vars/0 stand in another place"),  # CVE-2026-1669
        (external_link, "is a link to something else"),
        (soft_link, "is a link to something else"),
        (virtual, "the data of layers/dense/vars/0 stand in another place"),
        (bomb, "promises 10,000,000,000,000,000 bytes and stores 0"),
    ],
)
def test_hdf5_that_points_elsewhere_or_explodes(change: Any, said: str) -> None:
    hdf5(change)
    both(said)


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_the_same_in_weights_and_legacy_files() -> None:
    model = hostile.honest()
    kvcs.save(model, "stored")
    model.save_weights("model.weights.h5")
    with h5py.File("model.weights.h5", "a") as file:
        external(file)
    said = refused("export", "model.weights.h5", "out", "--architecture", "stored")
    assert "stand in another place" in said
    Path("model.json").write_text(model.to_json())
    said = refused("export", "model.json", "out", "--weights", "model.weights.h5")
    assert "stand in another place" in said
    model.save("model.h5")
    with h5py.File("model.h5", "a") as file:
        del file["model_weights/victim/victim/kernel"]
        file["model_weights/victim/victim/kernel"] = h5py.ExternalLink("other.h5", "/kernel")
    with pytest.raises(RestoreError, match="is a link to something else"):
        kvcs.load("model.h5")


def test_an_array_whose_header_promises_more_than_the_file_holds() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)])
    Path("model.json").write_text(model.to_json())
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    header += b" " * (117 - len(header)) + b"\n"
    Path("kernel.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + header)
    said = refused("export", "model.json", "out", "--weights", "kernel.npy")
    assert said.startswith("kernel.npy is no array of numbers")


def test_a_pickle_in_the_place_of_an_array() -> None:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False)])
    Path("model.json").write_text(model.to_json())
    np.save("kernel.npy", np.array([{}], dtype=object), allow_pickle=True)
    with hostile.nothing_runs():
        said = refused("export", "model.json", "out", "--weights", "kernel.npy")
    assert said.startswith("kernel.npy is no array of numbers")


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_two_files_in_one() -> None:
    """Keras would read the one that nobody looked into."""
    members()
    archive = Path("model.keras").read_bytes()
    hostile.as_legacy_file(LAMBDA, Path("model.h5"))
    legacy = Path("model.h5").read_bytes()
    Path("model.h5").write_bytes(archive)
    with pytest.raises(RestoreError, match="what its name says"):
        kvcs.load("model.h5")
    for name in ("model.h5", "model.keras"):
        Path(name).write_bytes(legacy + archive)
        with pytest.raises(RestoreError, match="what its name says"):
            kvcs.load(name)


# --- sizes ---------------------------------------------------------------------------------------


def sized(**config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": "Dense", "config": config,
            "registered_name": None}  # fmt: skip


def test_a_layer_that_would_be_larger_than_what_is_stored() -> None:
    hostile.store(lambda old: replace(old, config={**old.config, "units": 10**12}), Path("model"))
    with pytest.raises(RestoreError, match=r"\(Dense\) is refused: its units is 1,"):
        kvcs.load("model")
    # Each size could be true, and their product cannot.
    hostile.store(
        lambda old: replace(
            old,
            config={**old.config, "units": 1 << 22},
            build_config={"input_shape": [None, 1 << 22]},
        ),
        Path("model"),
    )
    with pytest.raises(RestoreError, match="make kernel an array of 17,592,186,044,416 numbers"):
        kvcs.load("model")


def test_the_same_in_a_file() -> None:
    hostile.as_keras_file(sized(units=10**12), Path("model.keras"))
    with pytest.raises(RestoreError, match="its units is 1,000,000,000,000"):
        kvcs.load("model.keras")


def test_a_metric_that_would_be_larger_than_what_is_stored() -> None:
    model = hostile.honest()
    model.compile("sgd", "mse", metrics=[keras.metrics.AUC(num_thresholds=10)])
    captured = hostile.capture(model)
    text = json.dumps(captured.model.training).replace('"num_thresholds": 10', '"num_thresholds": 1'
                                                       + "0" * 12)  # fmt: skip
    stored = replace(captured.model, training=json.loads(text))
    hostile.write(stored, captured.contents, Path("model"))
    with pytest.raises(RestoreError, match="its num_thresholds is 1,000,000,000,000"):
        kvcs.load("model")


# --- graphs --------------------------------------------------------------------------------------


def looped(target: str, index: int = 0) -> str:
    """Return a model's JSON with the layer `victim` called on what a later call yields."""
    config = json.loads(hostile.honest().to_json())
    node = config["config"]["layers"][1]["inbound_nodes"][0]
    node["args"][0]["config"]["keras_history"] = [target, index, 0]
    return json.dumps(config)


@pytest.mark.parametrize(
    ("target", "index"), [("after", 0), ("victim", 0), ("inputs", 7), ("nobody", 0)]
)
def test_a_loop(target: str, index: int) -> None:
    with pytest.raises(RefusedError, match="the graph has a loop or a loose end"):
        kvcs.model_from_json(looped(target, index))


@pytest.mark.parametrize("target", ["after", "victim"])
def test_a_loop_in_a_directory(target: str) -> None:
    captured = hostile.capture(hostile.honest())
    model = captured.model.model
    call = hostile.entry(captured.model, "victim").calls[0]
    entries = tuple(
        replace(entry, calls=(replace(call, args=(TensorRef(target, 0, 0),)),))
        if entry.name == "victim" else entry
        for entry in model.layers
    )  # fmt: skip
    stored = replace(captured.model, model=replace(model, layers=entries))
    hostile.write(stored, captured.contents, Path("model"))
    with pytest.raises(RestoreError, match="the graph has a loop or a loose end"):
        kvcs.load("model")
