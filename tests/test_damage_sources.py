"""Damage to what a model is read from: a `.keras` file, and git's own objects."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Done, nested, store
from cli import kvcs as run
from gitrepo import commit_all, git

from fuzz import models
from kvcs.errors import KvcsError
from kvcs.keras_files import reading
from kvcs.tree import writer

# --- a `.keras` file -----------------------------------------------------------------------------


def exported(data: bytes, path: Path) -> dict[str, bytes] | None:
    """Return the directory that a file makes; None where that is refused."""
    path.write_bytes(data)
    try:
        with reading.opened(str(path)) as found:
            files = writer.files(found.model, found.contents)
            return {name: b"".join(parts) for name, parts in files}
    except KvcsError:
        return None


def check_no_other_model(damaged: Iterator[bytes], path: Path) -> None:
    """What is read at all makes the very same model: zip has bytes that say nothing."""
    whole = exported(models.keras_file(), path)
    assert whole
    found = [exported(data, path) for data in damaged]
    assert all(files in (None, whole) for files in found)
    assert None in found
    assert whole in found


def flipped(step: int) -> Iterator[bytes]:
    data = models.keras_file()
    for at in range(0, len(data), step):
        yield data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]


def cut(step: int) -> Iterator[bytes]:
    data = models.keras_file()
    yield from (data[:at] for at in range(0, len(data), step))
    yield from (data + b"\0" * more for more in (1, 22, 70_000))
    yield from (b"#!" * more + data for more in (1, 100))


def test_bytes_of_a_keras_file(tmp_path: Path) -> None:
    check_no_other_model(flipped(37), tmp_path / "m.keras")


def test_lengths_of_a_keras_file(tmp_path: Path) -> None:
    check_no_other_model(cut(211), tmp_path / "m.keras")


@pytest.mark.slow
def test_every_byte_and_length_of_a_keras_file(tmp_path: Path) -> None:
    check_no_other_model(flipped(1), tmp_path / "m.keras")
    check_no_other_model(cut(1), tmp_path / "m.keras")


def test_every_bit_of_the_weights_counts(tmp_path: Path) -> None:
    """HDF5 has no checksums; the one that the archive has over it is looked at."""
    data = models.keras_file()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        weights = archive.read("model.weights.h5")
    start = data.index(weights)
    for at in range(start, start + len(weights), 101):
        changed = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
        assert exported(changed, tmp_path / "m.keras") is None


# --- git -----------------------------------------------------------------------------------------


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    git(tmp_path, "init", "--quiet")
    monkeypatch.chdir(tmp_path)
    store(Path("models/m"), nested())
    commit_all(tmp_path)
    return tmp_path


def is_sentence(done: Done) -> bool:
    """Whether it was refused as all is that cannot be read, or damage was reported."""
    assert done.code in (1, 2), done
    return len(done.err.splitlines()) == (done.code == 2)


def objects(top: Path) -> Iterator[Path]:
    for path in sorted((top / ".git/objects").rglob("*")):
        if path.is_file() and path.suffix not in (".rev", ".bitmap"):
            path.chmod(0o644)
            yield path


def test_loose_objects(top: Path) -> None:
    """A commit, trees and blobs: cut, empty, gone, and with another byte."""
    for path in objects(top):
        data = path.read_bytes()
        middle = len(data) // 2
        for damaged in (b"", data[:middle], data[:middle] + b"\xff" + data[middle + 1 :]):
            path.write_bytes(damaged)
            assert is_sentence(run("verify", "HEAD:models/m")), (path, damaged)
        path.unlink()
        assert is_sentence(run("verify", "HEAD:models/m")), path
        path.write_bytes(data)
    assert run("verify", "HEAD:models/m").code == 0


def test_a_pack(top: Path) -> None:
    git(top, "repack", "-adq")
    git(top, "prune-packed")
    pack = next((top / ".git/objects/pack").glob("*.pack"))
    pack.chmod(0o644)
    data = pack.read_bytes()
    refused = 0
    for at in range(0, len(data), max(1, len(data) // 40)):
        pack.write_bytes(data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :])
        done = run("verify", "HEAD:models/m")
        assert done.code == 0 or is_sentence(done), at  # some bytes nobody reads
        refused += done.code != 0
    assert refused > 20
    pack.write_bytes(data[: len(data) // 2])
    assert is_sentence(run("verify", "HEAD:models/m"))
    index = pack.with_suffix(".idx")
    index.chmod(0o644)
    index.write_bytes(index.read_bytes()[:100])
    assert is_sentence(run("verify", "HEAD:models/m"))


@pytest.mark.parametrize("path", ["HEAD", "index", "refs/heads/main", "config"])
def test_files_of_git(top: Path, path: str) -> None:
    for damaged in (b"", b"\0" * 50, b"ref: refs/heads/\n", b"[core\n"):
        place = top / ".git" / path
        data = place.read_bytes()
        place.write_bytes(damaged)
        for operand in ("HEAD:models/m", ":models/m"):
            done = run("verify", operand)
            assert done.code == 0 or is_sentence(done), (damaged, done)
        place.write_bytes(data)
