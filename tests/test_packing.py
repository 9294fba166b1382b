"""Packs that kvcs writes: git must take every one of them for its own."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from gitrepo import git, write
from hypothesis import given, settings
from hypothesis import strategies as st

from kvcs.errors import DamageError, RepositoryError
from kvcs.repo.locks import locked
from kvcs.repo.packs.pack_index import IndexEntry, write_index
from kvcs.repo.packs.packing import PackSettings, write_pack
from kvcs.repo.packs.streaming import Blob, Source, hashed

BLOCK = 0xFFFF
MIB = 1 << 20


@pytest.fixture(params=["sha1", "sha256"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An empty repository, with names of objects of either kind."""
    git(tmp_path, "init", "--quiet", f"--object-format={request.param}", "project")
    return tmp_path / "project"


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def packed(
    root: Path,
    files: Mapping[str, bytes],
    exists: Callable[[str], bool] = lambda name: False,
    **more: object,
) -> list[Blob]:
    """Write files, and then a pack of them."""
    write(root, files)
    sources = [Source(root / name, tensor=name.endswith(".npy"), **more) for name in files]  # type: ignore[arg-type]
    return write_pack(sources, how(root), exists)


def how(root: Path, *, mode: int = 0) -> PackSettings:
    algorithm = git(root, "rev-parse", "--show-object-format")
    return PackSettings(packs(root), algorithm, lambda own: mode or own, durable=True)


def packs(root: Path) -> Path:
    return root / ".git/objects/pack"


def endings(root: Path) -> list[str]:
    return sorted(path.suffix for path in packs(root).iterdir())


def content(root: Path, name: str) -> bytes:
    return subprocess.check_output(["git", "cat-file", "blob", name], cwd=root)


def check(root: Path) -> None:
    """Let git look at every byte of every pack."""
    for index in packs(root).glob("*.idx"):
        git(root, "verify-pack", "--verbose", str(index))
    done = git(root, "fsck", "--full", "--strict", "--no-dangling")
    assert "error" not in done


class TestContents:
    @pytest.mark.parametrize(
        "size",
        [
            *(0, 1, 15, 16, 2047, 2048, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK),
            *(32 * BLOCK - 1, 32 * BLOCK, 32 * BLOCK + 1, 33 * BLOCK, MIB + BLOCK),
        ],
    )
    def test_every_size_comes_back(self, root: Path, size: int) -> None:
        files = {
            "tensor.npy": noise(size),
            "noise.bin": noise(size, 1),
            "text.json": (b"[0.25, 1, 2]\n" * (size // 12 + 1))[:size],
        }
        blobs = packed(root, files)
        check(root)
        for blob, data in zip(blobs, files.values(), strict=True):
            assert content(root, blob.name) == data
        assert endings(root) == [".idx", ".pack"]

    def test_more_than_the_buffers_hold(self, root: Path) -> None:
        data = noise(40 * MIB)
        [blob] = packed(root, {"large.npy": data})
        check(root)
        assert content(root, blob.name) == data

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.tuples(st.binary(max_size=300), st.integers(1, 700)), max_size=6))
    def test_any_files(
        self, tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[bytes, int]]
    ) -> None:
        root = tmp_path_factory.mktemp("any")
        git(root, "init", "--quiet")
        endings = (".npy", ".json")
        files = {
            f"{number}{endings[number % 2]}": part * times
            for number, (part, times) in enumerate(parts)
        }
        blobs = packed(root, files)
        check(root)
        assert [content(root, blob.name) for blob in blobs] == list(files.values())

    def test_a_name_is_the_one_that_git_gives(self, root: Path) -> None:
        [blob] = packed(root, {"x.npy": noise(100_000)})
        assert blob.name == git(root, "hash-object", "x.npy")
        assert blob.name == hashed(Source(root / "x.npy"), how(root).algorithm).name

    def test_tensors_are_stored_and_text_is_deflated(self, root: Path) -> None:
        files = {"zeros.npy": bytes(MIB), "large.json": b"1" * MIB, "small.npy": bytes(999)}
        blobs = packed(root, files)
        names = "\n".join(blob.name for blob in blobs).encode()
        sizes = git(root, "cat-file", "--batch-check=%(objectsize:disk)", stdin=names)
        stored, deflated, small = map(int, sizes.split())
        assert MIB < stored < MIB * 1.001
        assert deflated < MIB / 100
        assert small < 100

    def test_git_repacks_clones_and_collects_it(self, root: Path, tmp_path: Path) -> None:
        files = {"a.npy": noise(MIB), "b.npy": noise(MIB, 1), "c.json": b"{}\n"}
        packed(root, files)
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", "First")
        git(root, "repack", "-adf", "--quiet")
        git(root, "gc", "--quiet")
        check(root)
        git(tmp_path, "clone", "--quiet", "--no-local", str(root), "copy")
        assert {name: (tmp_path / "copy" / name).read_bytes() for name in files} == files


class TestWhatIsThereAlready:
    def test_two_equal_files_are_one_object(self, root: Path) -> None:
        files = {"a.npy": noise(MIB), "b.npy": noise(MIB), "c.npy": noise(MIB, 1), "d.json": b"1"}
        blobs = packed(root, files)
        check(root)
        assert blobs[0].name == blobs[1].name
        assert [content(root, blob.name) for blob in blobs] == list(files.values())

    def test_objects_of_the_repository_are_left_out(self, root: Path) -> None:
        write(root, {"old.npy": noise(MIB)})
        old = git(root, "hash-object", "-w", "old.npy")
        blobs = packed(
            root,
            {"new.npy": noise(MIB, 1), "old.npy": noise(MIB), "last.json": b"1"},
            exists=lambda name: name == old,
        )
        check(root)
        [index] = packs(root).glob("*.idx")
        listed = git(root, "verify-pack", "--verbose", str(index))
        assert old not in listed
        assert blobs[0].name in listed
        assert blobs[2].name in listed

    def test_no_pack_is_left_when_all_are_there(self, root: Path) -> None:
        packed(root, {"a.npy": noise(MIB)}, exists=lambda name: True)
        assert endings(root) == []

    def test_the_same_pack_twice(self, root: Path) -> None:
        for _ in range(2):
            packed(root, {"a.npy": noise(MIB)})
        check(root)
        assert endings(root) == [".idx", ".pack"]


class TestPermissions:
    def test_a_finished_pack_is_read_only_as_the_umask_says(self, root: Path) -> None:
        before = os.umask(0o027)
        try:
            packed(root, {"a.npy": noise(MIB)})
        finally:
            os.umask(before)
        assert {path.stat().st_mode & 0o777 for path in packs(root).iterdir()} == {0o440}

    def test_others_can_be_wanted(self, root: Path) -> None:
        write(root, {"a.npy": noise(MIB)})
        write_pack([Source(root / "a.npy")], how(root, mode=0o400), lambda name: False)
        assert {path.stat().st_mode & 0o777 for path in packs(root).iterdir()} == {0o400}


def wait_until_open(path: Path) -> None:
    opened = Path("/proc/self/fd")
    while not any(os.path.realpath(one) == str(path) for one in opened.iterdir()):
        time.sleep(0.01)
    time.sleep(0.1)  # for what is asked of a file as soon as it is open


class TestFailures:
    """Whatever goes wrong, nothing is left behind: no file, no thread."""

    @pytest.fixture(autouse=True)
    def nothing_left(self, root: Path):  # type: ignore[no-untyped-def]
        threads = threading.active_count()
        yield
        assert endings(root) == []
        assert threading.active_count() == threads

    def test_a_file_that_is_missing(self, root: Path) -> None:
        write(root, {"a.npy": noise(MIB)})
        sources = [Source(root / "a.npy", tensor=True), Source(root / "b.npy", tensor=True)]
        with pytest.raises(FileNotFoundError) as caught:
            write_pack(sources, how(root), lambda name: False)
        assert caught.value.filename == str(root / "b.npy")

    def test_a_link_in_the_place_of_a_file(self, root: Path) -> None:
        write(root, {"a.npy": noise(MIB)})
        (root / "b.npy").symlink_to("a.npy")
        with pytest.raises(OSError, match="symbolic links"):
            write_pack([Source(root / "b.npy")], how(root), lambda name: False)

    @pytest.mark.parametrize("size", [100, MIB])
    def test_a_checksum_that_does_not_hold(self, root: Path, size: int) -> None:
        data = noise(size)
        files = {"good.npy": data, "bad.npy": data}
        write(root, files)
        good = hashlib.sha256(data).hexdigest()
        sources = [
            Source(root / "good.npy", sha256=good),
            Source(root / "bad.npy", sha256="0" * 64),
        ]
        with pytest.raises(DamageError) as caught:
            write_pack(sources, how(root), lambda name: False)
        expected = f"{root / 'bad.npy'} is altered: its SHA-256 is not the recorded one"
        assert str(caught.value) == expected

    @pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="Linux tells of open files")
    @pytest.mark.parametrize("size", [0, 60 * MIB])
    def test_a_file_that_changes_meanwhile(self, root: Path, size: int) -> None:
        write(root, {"a.npy": noise(MIB), "b.npy": bytes(50 * MIB)})

        def change(name: str) -> bool:
            wait_until_open(root / "b.npy")  # and it is larger than all buffers together
            os.truncate(root / "b.npy", size)
            return False

        sources = [Source(root / name, tensor=True) for name in ("a.npy", "b.npy")]
        with pytest.raises(RepositoryError, match=r"b.npy was changed by another program"):
            write_pack(sources, how(root), change)

    def test_an_interrupt(self, root: Path) -> None:
        write(root, {"a.npy": noise(MIB), "b.npy": bytes(50 * MIB)})

        def interrupt(name: str) -> bool:
            raise KeyboardInterrupt

        sources = [Source(root / name, tensor=True) for name in ("a.npy", "b.npy")]
        with pytest.raises(KeyboardInterrupt):
            write_pack(sources, how(root), interrupt)

    def test_a_full_disk(self, root: Path) -> None:
        write(root, {"a.npy": noise(3 * MIB)})
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, hard))
        try:
            with pytest.raises(OSError, match="too large") as caught:
                write_pack([Source(root / "a.npy", tensor=True)], how(root), lambda name: False)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.filename == packs(root)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_offsets_beyond_two_gibibytes(tmp_path: Path, algorithm: str) -> None:
    git(tmp_path, "init", "--quiet", f"--object-format={algorithm}")
    offsets = [12, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40]
    entries = [
        IndexEntry(hashlib.new(algorithm, b"%d" % offset).digest(), offset % 1000, offset)
        for offset in offsets
    ]
    checksum = hashlib.new(algorithm).digest()
    index = write_index(entries, checksum, algorithm)
    shown = [line.split() for line in git(tmp_path, "show-index", stdin=index).splitlines()]
    expected = {entry.name.hex(): entry for entry in entries}
    assert [int(offset) for offset, *_ in shown] == [
        expected[name].offset for name in sorted(expected)
    ]
    assert all(expected[name].offset == int(offset) for offset, name, _ in shown)
    assert all(crc == f"({expected[name].crc:08x})" for _, name, crc in shown)


@pytest.mark.slow
def test_a_file_of_more_than_four_gibibytes(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with (tmp_path / "huge.npy").open("wb") as file:
        file.truncate(2**32 + 5)
    write(tmp_path, {"a.npy": noise(MIB)})
    sources = [Source(tmp_path / name, tensor=True) for name in ("huge.npy", "a.npy")]
    huge, _ = write_pack(sources, how(tmp_path), lambda name: False)
    check(tmp_path)
    size = git(tmp_path, "cat-file", "-s", huge.name)
    assert int(size) == 2**32 + 5


def test_what_a_killed_commit_left_is_removed(root: Path) -> None:
    """And nothing of git, nor of a commit that is under way."""
    dead, running, of_git = (
        packs(root) / name
        for name in (f"tmp_pack_{'0' * 16}", f"tmp_idx_{'1' * 16}", "tmp_pack_AbCdEf")
    )
    for place in (dead, running, of_git):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"half")
    with locked(running):
        packed(root, {"a": noise(100)})
        left = {path for path in packs(root).iterdir() if path.name.startswith("tmp_")}
    assert left == {running, of_git}
