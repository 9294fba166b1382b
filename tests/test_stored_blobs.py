"""Blobs read without git: what is read is what git reads, and all else is left to git."""

from __future__ import annotations

import os
import random
import subprocess
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from gitrepo import commit_all, git, write

from kvcs.errors import RepositoryError
from kvcs.repo import Repository
from kvcs.repo.packs.pack_index import IndexEntry, write_index
from kvcs.repo.packs.reading import StoredBlobs

NOISE = random.Random(0).randbytes(700_000)
FILES = {
    "model/large.npy": NOISE,
    "model/long.npy": bytes(3_000_000),
    "model/model.json": b"{}\n",
    "model/one.npy": b"1",
}


@pytest.fixture(params=["sha1", "sha256"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A repository with a commit; its objects are loose."""
    root = tmp_path / "project"
    git(tmp_path, "init", "--quiet", f"--object-format={request.param}", "project")
    write(root, FILES)
    commit_all(root)
    os.chdir(root)
    return root


@pytest.fixture
def stored(root: Path) -> Iterator[StoredBlobs]:
    with closing(StoredBlobs(root / ".git/objects")) as found:
        yield found


def name_of(root: Path, path: str) -> str:
    return git(root, "rev-parse", f"HEAD:{path}")


def without_deltas(root: Path) -> None:
    git(root, "-c", "pack.depth=0", "repack", "-q", "-a", "-d", "-f")


def versions(root: Path) -> None:
    """Commit a file that differs from its last version in a byte, and pack both."""
    write(root, {"model/large.npy": NOISE + b"!"})
    commit_all(root)
    git(root, "repack", "-q", "-a", "-d", "-f")


def test_loose(root: Path, stored: StoredBlobs) -> None:
    assert {path: stored.read(name_of(root, path)) for path in FILES} == FILES


def test_packed(root: Path, stored: StoredBlobs) -> None:
    without_deltas(root)
    assert git(root, "count-objects", "-v").startswith("count: 0\n")
    assert {path: stored.read(name_of(root, path)) for path in FILES} == FILES


def test_in_several_packs(root: Path, stored: StoredBlobs) -> None:
    git(root, "repack", "-q", "-d")
    write(root, {"model/two.npy": b"2"})
    commit_all(root)
    git(root, "repack", "-q", "-d")
    for path, content in [*FILES.items(), ("model/two.npy", b"2"), *FILES.items()]:
        assert stored.read(name_of(root, path)) == content


def test_many_readers(root: Path, stored: StoredBlobs) -> None:
    without_deltas(root)
    name = name_of(root, "model/large.npy")
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(stored.read, [name] * 32)) == {NOISE}


def test_a_delta_is_left_to_git(root: Path, stored: StoredBlobs) -> None:
    versions(root)
    names = [git(root, "rev-parse", f"{rev}:model/large.npy") for rev in ("HEAD~1", "HEAD")]
    assert [stored.read(name) for name in names].count(None) == 1
    with Repository.discover() as repository:
        for revision, content in (("HEAD~1", NOISE), ("HEAD", NOISE + b"!")):
            assert repository.revision(f"{revision}:model")["large.npy"] == content


def test_what_there_is(root: Path, stored: StoredBlobs) -> None:
    name = name_of(root, "model/one.npy")
    assert stored.has(name)
    assert not stored.has("1" * len(name))
    loose = root / ".git/objects" / name[:2] / name[2:]
    loose.chmod(0o644)
    content = loose.read_bytes()
    loose.write_bytes(b"")  # as a crash can leave it
    assert not stored.has(name)
    loose.write_bytes(content)
    without_deltas(root)
    with closing(StoredBlobs(root / ".git/objects")) as found:
        assert found.has(name)
        assert not found.has("1" * len(name))


def test_what_is_no_blob_or_not_there(root: Path, stored: StoredBlobs) -> None:
    for _ in range(2):
        tree, commit = (git(root, "rev-parse", each) for each in ("HEAD:model", "HEAD"))
        absent = "1" * len(tree)
        assert [stored.read(each) for each in (tree, commit, absent)] == [None] * 3
        without_deltas(root)


def test_a_replaced_object(root: Path) -> None:
    other = git(root, "hash-object", "-w", "--stdin", stdin=b"other")
    git(root, "replace", name_of(root, "model/one.npy"), other)
    for _ in range(2):
        with Repository.discover() as repository:
            assert repository.revision("HEAD:model")["one.npy"] == b"other"
        git(root, "pack-refs", "--all")


def test_objects_of_another_repository(root: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--shared", "project", "clone")
    with closing(StoredBlobs(tmp_path / "clone/.git/objects")) as found:
        assert found.read(name_of(root, "model/large.npy")) == NOISE


def test_a_linked_worktree(root: Path, tmp_path: Path) -> None:
    git(root, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    os.chdir(tmp_path / "linked")
    with Repository.discover() as repository:
        assert repository.revision("HEAD:model")["large.npy"] == NOISE


def test_damage_is_told_by_git(root: Path) -> None:
    without_deltas(root)
    (pack,) = (root / ".git/objects/pack").glob("*.pack")
    pack.chmod(0o644)
    content = bytearray(pack.read_bytes())
    middle = content.index(NOISE[:32]) + len(NOISE) // 2
    content[middle] ^= 1
    pack.write_bytes(content)
    with Repository.discover() as repository, pytest.raises(RepositoryError, match="git fsck"):
        repository.revision("HEAD:model")["large.npy"]


@pytest.mark.parametrize("claimed", [3, 5, 1 << 40])
def test_a_loose_object_with_another_size(root: Path, stored: StoredBlobs, claimed: int) -> None:
    name = "ab" * (len(name_of(root, "model")) // 2)
    write(root / ".git/objects/ab", {name[2:]: zlib.compress(b"blob %d\0data" % claimed)})
    assert stored.read(name) is None


def test_a_pack_of_more_than_two_gibibytes(root: Path, stored: StoredBlobs) -> None:
    name, far = "cd" * (len(name_of(root, "model")) // 2), (1 << 31) + 17
    packs = root / ".git/objects/pack"
    with (packs / "pack-far.pack").open("wb") as file:
        file.seek(far)  # nothing stands before it, and so it takes no room
        file.write(bytes([3 << 4 | 4]) + zlib.compress(b"data"))
    algorithm = git(root, "rev-parse", "--show-object-format")
    index = write_index([IndexEntry(bytes.fromhex(name), 0, far)], b"", algorithm)
    (packs / "pack-far.idx").write_bytes(index)
    assert stored.read(name) == b"data"


def test_no_process_reads_what_is_whole(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_deltas(root)
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE2_EVENT", str(trace))
    with Repository.discover() as repository:
        assert len(dict(repository.revision("HEAD:model"))) == len(FILES)
    assert b'"cat-file"' not in trace.read_bytes()
    assert b'"ls-tree"' in trace.read_bytes()


def test_an_unknown_index_is_left_to_git(root: Path) -> None:
    without_deltas(root)
    (index,) = (root / ".git/objects/pack").glob("*.idx")
    subprocess.run(
        ["git", "index-pack", "--index-version=1", index.with_suffix(".pack").name],
        cwd=index.parent, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with Repository.discover() as repository:
        assert repository.revision("HEAD:model")["large.npy"] == NOISE
