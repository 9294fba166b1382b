from __future__ import annotations

import errno
import os
import stat
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from directories import NEW, OLD, beside, content, one_buffer_each, put, run, status, stored_models
from hypothesis import given, settings

from kvcs.errors import SaveError
from kvcs.workdir import Buffer, Replaced, owns, replace, replacing


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path / "models/m", OLD)
    return tmp_path / "models/m"


@given(stored_models, stored_models)
@settings(max_examples=50, deadline=None)
def test_replace_makes_the_directory_what_was_asked(
    old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    with tempfile.TemporaryDirectory() as parent:
        root = Path(parent, "m")
        assert put(root, old) == Replaced(tuple(sorted(old)), (), ())
        done = put(root, new)
        assert content(root) == new
        assert done.kept == tuple(sorted(path for path in new if old.get(path) == new[path]))
        assert done.written == tuple(sorted(new.keys() - set(done.kept)))
        assert done.removed == tuple(sorted(old.keys() - new.keys()))
        assert put(root, new) == Replaced((), tuple(sorted(new)), ())
        assert beside(root) == []


def test_content_is_the_concatenation_of_buffers(root: Path) -> None:
    empty = memoryview(bytearray(8)).cast("B", (2, 4))[:0]
    numbers: Any = memoryview(bytearray(range(16))).cast("f", (2, 2))
    buffers: list[Buffer] = [b"ab", empty, bytearray(b"c"), numbers, b""]
    files: list[tuple[str, list[Buffer]]] = [("model.json", [b"{}"]), ("a.npy", buffers)]
    assert replace(root, files).written == ("a.npy", "model.json")
    assert content(root)["a.npy"] == b"abc" + bytes(range(16))
    assert replace(root, files).written == ()


@pytest.mark.parametrize("at", [0, replacing._CHUNK - 1, replacing._CHUNK, 2 * replacing._CHUNK])
def test_one_changed_byte_is_seen_wherever_it_is(tmp_path: Path, at: int) -> None:
    data = bytearray(2 * replacing._CHUNK + 1)
    files: list[tuple[str, list[Buffer]]] = [("a.npy", [b"header", data]), ("model.json", [b"{}"])]
    replace(tmp_path / "m", files)
    assert replace(tmp_path / "m", files).written == ()
    data[at] = 1
    assert replace(tmp_path / "m", files).written == ("a.npy",)
    assert content(tmp_path / "m")["a.npy"] == b"header" + data


def test_nothing_changed_nothing_touched(root: Path) -> None:
    before = status(root.parent)
    assert put(root, OLD) == Replaced((), tuple(sorted(OLD)), ())
    assert status(root.parent) == before


def test_unchanged_files_stay_the_same_files(root: Path) -> None:
    kernel = root / "layers/dense/kernel.npy"
    before = kernel.stat()
    assert put(root, NEW).kept == tuple(sorted(OLD.keys() & NEW.keys() - {"model.json"}))
    assert os.path.samestat(kernel.stat(), before)
    assert kernel.stat().st_mtime_ns == before.st_mtime_ns
    assert kernel.stat().st_nlink == 1


def test_unchanged_files_are_copied_where_links_are_impossible(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    kernel = root / "layers/dense/kernel.npy"
    before = kernel.stat()
    assert "layers/dense/kernel.npy" in put(root, NEW).kept
    assert content(root) == NEW
    assert kernel.stat().st_mtime_ns == before.st_mtime_ns


def test_stale_files_go_with_their_directories(root: Path) -> None:
    kept = {path: data for path, data in OLD.items() if not path.startswith("layers/dense")}
    assert put(root, kept).removed == ("layers/dense/kernel.npy", "layers/dense/layer.json")
    assert content(root) == kept
    assert not (root / "layers/dense").exists()


def test_modes_are_the_usual_ones(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        put(tmp_path / "m", OLD)
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {0o640, 0o750}


def test_a_private_model_stays_private(root: Path) -> None:
    root.chmod(0o700)
    put(root, NEW)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    put(tmp_path / "m", NEW)
    assert content(tmp_path / "m") == NEW


def test_a_link_stays_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("models/m")
    put(tmp_path / "link", NEW)
    assert (tmp_path / "link").readlink() == Path("models/m")
    assert content(root) == NEW
    assert beside(root) == []


@pytest.mark.parametrize("changed", [False, True])
def test_one_file_is_in_memory_at_a_time(root: Path, changed: bool) -> None:
    class Data(bytearray):
        pass

    paths = [*OLD, "layers/head/bias.npy"]
    alive: list[weakref.ref[Data]] = []

    def files() -> Iterator[tuple[str, list[Buffer]]]:
        for path in paths:
            assert [data() for data in alive] == [None] * len(alive)
            data = Data(b"new" if changed else OLD.get(path, b"new"))
            alive.append(weakref.ref(data))
            buffers: list[Buffer] = [data]
            del data
            yield path, buffers
            del buffers

    written = [path for path in paths if changed or path not in OLD]
    assert replace(root, files()).written == tuple(sorted(written))


# Refusing


@pytest.mark.parametrize(
    "path",
    ["README.md", ".git/HEAD", "layers/dense/notes.txt", ".gitattributes", "weights.h5", "npy"],
)
def test_a_file_of_somebody_else_is_never_deleted(root: Path, path: str) -> None:
    assert not owns(path)
    (root / path).parent.mkdir(exist_ok=True)
    (root / path).write_text("mine")
    before = status(root.parent)
    with pytest.raises(SaveError, match=rf"m/{path} is no part of a stored model, and would be"):
        put(root, NEW)
    assert status(root.parent) == before


def test_a_directory_that_is_no_model_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"mine")
    with pytest.raises(SaveError, match=r"is not empty and has no model\.json, so it is no stored"):
        put(tmp_path, NEW)
    assert content(tmp_path) == {"a.npy": b"mine"}


@pytest.mark.parametrize(
    "kind", ["file", "fifo", "broken link", "link to itself", "link to a file"]
)
def test_what_is_no_directory_is_not_replaced(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "m"
    if kind == "file":
        root.touch()
    elif kind == "fifo":
        os.mkfifo(root)
    else:
        (tmp_path / "file").touch()
        root.symlink_to({"broken link": "x", "link to itself": "m"}.get(kind, "file"))
    before = status(tmp_path)
    with pytest.raises(SaveError, match="m is not a directory; remove it, or choose another place"):
        put(root, NEW)
    assert status(tmp_path) == before


def test_what_appears_at_the_last_moment_is_not_deleted(tmp_path: Path) -> None:
    def files() -> Iterator[tuple[str, list[Buffer]]]:
        yield "model.json", [b"{}"]
        (tmp_path / "m").mkdir()
        (tmp_path / "m/thesis.tex").write_text("mine")

    with pytest.raises(SaveError, match=r"m is not empty and has no model\.json"):
        replace(tmp_path / "m", files())
    assert content(tmp_path) == {"m/thesis.tex": b"mine"}


@pytest.mark.parametrize(
    "path",
    ["", "/a.npy", "a//b.npy", "./a.npy", "a/../b.npy", "a/", "a\\b.npy", "\0.npy", "README.md"],
)
def test_an_unclean_path_is_a_bug(root: Path, path: str) -> None:
    with pytest.raises(ValueError, match="is no path of a file in a stored model"):
        put(root, {"model.json": b"changed", path: b""})
    assert content(root) == OLD
    assert beside(root) == []


@pytest.mark.parametrize("first", [OLD["model.json"], b"changed"])
def test_a_path_that_comes_twice_is_a_bug(root: Path, first: bytes) -> None:
    with pytest.raises(ValueError, match=r"'model\.json' comes twice"):
        replace(root, [("model.json", [first]), ("model.json", [b"{}"])])
    assert content(root) == OLD


# All or nothing


@pytest.mark.parametrize("start", [OLD, None])
def test_an_exception_of_the_iterable_leaves_everything_as_it_was(
    tmp_path: Path, start: dict[str, bytes] | None
) -> None:
    root = tmp_path / "some/models/m"
    if start:
        put(root, start)
    before = {path: at[0] for path, at in status(tmp_path).items()}

    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        yield from one_buffer_each(NEW)
        raise OSError("a disk of somebody else")

    with pytest.raises(OSError, match=r"^a disk of somebody else$"):
        replace(root, files())
    assert {path: at[0] for path, at in status(tmp_path).items()} == before


def test_a_file_that_another_program_changes_meanwhile(root: Path) -> None:
    def files() -> Iterator[tuple[str, Sequence[Buffer]]]:
        yield "training.json", [OLD["training.json"]]
        (root / "training.json").write_bytes(b"edited")
        yield "model.json", [b"changed"]

    with pytest.raises(SaveError, match=r"training\.json was changed by another program"):
        replace(root, files())
    assert content(root) == {**OLD, "training.json": b"edited"}
    assert beside(root) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SaveError, match=r"could not write .*file: .*; .*file is unchanged"):
        put(tmp_path / "file/m", NEW)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_parent_without_permission(root: Path) -> None:
    root.parent.chmod(0o500)
    try:
        with pytest.raises(SaveError, match=r"could not write .*models: Permission denied; "):
            put(root, NEW)
    finally:
        root.parent.chmod(0o700)
    assert content(root) == OLD


FULL_DISK = """
    import resource, sys
    from pathlib import Path
    from kvcs.errors import SaveError
    from kvcs.workdir import replace

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    place = Path(sys.argv[1])
    try:
        replace(place, [("model.json", [b"new"]), ("a.npy", [bytes(60_000)] * 2)])
    except SaveError as error:
        print(error)
"""


def test_a_full_disk_leaves_everything_as_it_was(root: Path) -> None:
    done = run(FULL_DISK, root)
    sentence = f"could not write {root}: File too large; {root} is unchanged\n"
    assert (done.stdout, done.stderr) == (sentence, "")
    assert content(root) == OLD
    assert beside(root) == []
