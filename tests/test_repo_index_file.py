"""git's index as a file: read and written as git itself does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gitrepo import git, write

from kvcs.repo.commits.index_file import read_entries, remember

NAMES = [
    "README.md",
    "models/a/layers/dense/kernel.npy",
    "models/a/layers/dense_1/kernel.npy",
    "models/a/model.json",
    "models/ab/model.json",
    "ß/" + "long" * 60 + "/model.json",
    *(f"{'deep/' * 1000}{name}.json" for name in "ab"),  # longer than the length field can say
]


def repository(place: Path, version: int, algorithm: str) -> Path:
    git(place, "init", "--quiet", f"--object-format={algorithm}")
    git(place, "config", "index.version", str(version))
    lines = [f"100644 {'1' * (40 if algorithm == 'sha1' else 64)}\t{name}\0" for name in NAMES]
    git(place, "update-index", "-z", "--index-info", stdin="".join(lines).encode())
    if version == 3:
        git(place, "update-index", "--skip-worktree", "models/a/model.json")
    git(place, "update-index", "--assume-unchanged", "README.md")
    return place / ".git/index"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("version", [2, 3, 4])
class TestReading:
    def test_every_entry(self, tmp_path: Path, version: int, algorithm: str) -> None:
        index = repository(tmp_path, version, algorithm)
        assert index.read_bytes()[7] == version
        size = 20 if algorithm == "sha1" else 32
        found = read_entries(index.read_bytes(), size, [b""]) or {}
        listed = git(tmp_path, "ls-files", "-z", "--stage").split("\0")[:-1]
        assert [f"100644 {entry.name} 0\t{os.fsdecode(path)}" for path, entry in found.items()] == (
            listed
        )
        hidden = {path for path, entry in found.items() if not entry.watched}
        assert hidden == {b"README.md"} | ({b"models/a/model.json"} if version == 3 else set())

    def test_those_below_directories(self, tmp_path: Path, version: int, algorithm: str) -> None:
        data = repository(tmp_path, version, algorithm).read_bytes()
        size = 20 if algorithm == "sha1" else 32
        below = [b"models/a/", b"models/a/layers/", b"nothing/"]
        found = read_entries(data, size, below) or {}
        assert sorted(found) == [os.fsencode(name) for name in NAMES[1:4]]

    def test_a_status_that_is_remembered_is_one_that_git_believes(
        self, tmp_path: Path, version: int, algorithm: str
    ) -> None:
        index = repository(tmp_path, version, algorithm)
        git(tmp_path, "update-index", "--no-assume-unchanged", "README.md")
        files = dict.fromkeys(NAMES[:6], b"not what the object is\n")
        write(tmp_path, files)
        for name in files:
            os.utime(tmp_path / name, (10**9, 10**9))  # older than the index, so that it is trusted
        data = index.read_bytes()
        found = read_entries(data, 20 if algorithm == "sha1" else 32, [b""]) or {}
        statuses = {
            found[os.fsencode(name)].position: (0o100644, (tmp_path / name).stat())
            for name in files
            if name != "models/ab/model.json"
        }
        index.write_bytes(remember(data, algorithm, statuses))
        changed = git(tmp_path, "diff-files", "--name-only", "-z").split("\0")[:-1]
        assert set(changed) & set(files) == {"models/ab/model.json"}
        believed = set(files) - {"models/ab/model.json"}
        again = read_entries(index.read_bytes(), 20 if algorithm == "sha1" else 32, [b""]) or {}
        assert all(
            again[os.fsencode(name)].is_unchanged((tmp_path / name).stat()) is (name in believed)
            for name in files
        )


def test_a_link_to_a_file_changes_its_status_and_no_more(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    write(tmp_path, {"a.npy": b"1"})
    git(tmp_path, "add", "a.npy")
    entries = read_entries((tmp_path / ".git/index").read_bytes(), 20, [b""]) or {}
    (tmp_path / "b.npy").hardlink_to(tmp_path / "a.npy")
    status = (tmp_path / "a.npy").stat()
    assert entries[b"a.npy"].may_be_unchanged(status)
    write(tmp_path, {"a.npy": b"2"})
    os.utime(tmp_path / "a.npy", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert not entries[b"a.npy"].may_be_unchanged((tmp_path / "a.npy").stat())


def test_a_checksum_that_is_left_out_stays_left_out(tmp_path: Path) -> None:
    data = repository(tmp_path, 2, "sha1").read_bytes()
    unsigned = data[:-20] + bytes(20)
    assert remember(unsigned, "sha1", {}) == unsigned
    assert remember(data, "sha1", {}) == data


def test_what_only_git_can_read(tmp_path: Path) -> None:
    index = repository(tmp_path, 2, "sha1")
    whole = index.read_bytes()
    git(tmp_path, "update-index", "--split-index")
    for data in (index.read_bytes(), b"", b"DIRC", whole[:200], b"X" + whole[1:]):
        assert read_entries(data, 20, [b""]) is None
