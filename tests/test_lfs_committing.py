"""What `kvcs commit` makes with Git LFS is what `git add` makes, and git-lfs finds it in order."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from cli import kvcs, refused, store
from clones import LFS, clone, commands, needs_lfs, objects, publish, stack
from gitrepo import begin, commit_all, git

from kvcs.checksum import sha256

pytestmark = needs_lfs

WIDE = 300  # wide enough for the fast path


@pytest.fixture
def there(tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with Git LFS as the current directory, with one commit and a model beside it."""
    place = tmp_path / "there"
    begin(templates / "lfs", (place,), lambda: make(place))
    monkeypatch.chdir(place)
    return place


def make(place: Path) -> None:
    place.mkdir()
    git(place, "init", "--quiet")
    git(place, "lfs", "install", "--local")
    (place / ".gitattributes").write_text(LFS)
    commit_all(place, "Begin")
    store(place / "m", stack(WIDE))


def ids(place: Path, model: str = "m") -> set[str]:
    return {sha256([path.read_bytes()]) for path in (place / model).rglob("*.npy")}


def test_a_commit_is_that_of_git_add(there: Path, tmp_path: Path) -> None:
    shutil.copytree(there, tmp_path / "other")
    assert kvcs("commit", "m", "-m", "Model").code == 0
    commit_all(tmp_path / "other", "Model")
    tree = "HEAD^{tree}"
    assert git(there, "rev-parse", tree) == git(tmp_path / "other", "rev-parse", tree)
    assert objects(there) == objects(tmp_path / "other") == ids(there)


def test_git_lfs_is_not_run_for_it(there: Path, tmp_path: Path) -> None:
    for path in (there / "m").rglob("*.npy"):
        os.utime(path, (1e9, 1e9))  # git looks twice at files of the second in which it is run
    with commands(tmp_path / "log") as run:
        assert kvcs("commit", "m", "-m", "Model").code == 0
    assert "git-lfs filter-process" not in run
    store(there / "m", stack(WIDE), bias=1.0)
    with commands(tmp_path / "log") as run:
        git(there, "add", "m")
    assert "git-lfs filter-process" in run


def test_git_lfs_finds_all_in_order(there: Path) -> None:
    kvcs("commit", "m", "-m", "Model")
    assert git(there, "status", "--porcelain") == ""
    assert git(there, "lfs", "status", "--porcelain") == ""
    assert git(there, "lfs", "fsck") == "Git LFS fsck OK"
    listed = git(there, "lfs", "ls-files", "--name-only").splitlines()
    assert set(listed) == {path.as_posix() for path in Path("m").rglob("*.npy")}


def test_only_what_changed_is_added(there: Path) -> None:
    kvcs("commit", "m", "-m", "Model")
    before = {oid: _object(there, oid).stat().st_mtime_ns for oid in objects(there)}
    store(there / "m", stack(WIDE), bias=1.0)
    kernel = next((there / "m").rglob("kernel.npy"))
    os.utime(kernel)
    assert kvcs("commit", "m", "-m", "Biases").code == 0
    after = {oid: _object(there, oid).stat().st_mtime_ns for oid in objects(there)}
    assert before.items() < after.items()
    assert git(there, "status", "--porcelain") == ""


def _object(place: Path, oid: str) -> Path:
    return place / ".git/lfs/objects" / oid[:2] / oid[2:4] / oid


def test_a_damaged_tensor_is_refused_and_its_object_not_used(there: Path) -> None:
    kernel = next((there / "m").rglob("kernel.npy"))
    content = kernel.read_bytes()
    kernel.write_bytes(content[:-1] + b"?")
    assert "is damaged and was not committed" in refused("commit", "m", "-m", "Model")
    assert git(there, "log", "--format=%s") == "Begin"
    assert objects(there) < ids(there) | {sha256([content])}
    assert ids(there) - objects(there)


def test_a_file_changed_later_does_not_change_its_object(there: Path) -> None:
    kvcs("commit", "m", "-m", "Model")
    for path in (there / "m").rglob("*.npy"):
        with path.open("r+b") as file:
            file.write(b"broken")
    assert git(there, "lfs", "fsck") == "Git LFS fsck OK"


def test_pointers_in_the_working_tree_are_committed_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = publish(tmp_path, lfs=True)
    place = clone(remote, lfs=True)
    monkeypatch.chdir(place)
    git(place, "mv", "m", "moved")
    assert kvcs("commit", "m", "moved", "-m", "Move").code == 0
    assert git(place, "rev-parse", "HEAD:moved") == git(place, "rev-parse", "v2:m")
    assert objects(place) == set()


def test_it_is_pushed_with_its_objects_and_pruned_afterwards(there: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    git(there, "remote", "add", "origin", (tmp_path / "remote.git").as_uri())
    for bias in (1.0, 2.0):
        store(there / "m", stack(WIDE), bias=bias)
        kvcs("commit", "m", "-m", f"Bias {bias}")
    both = objects(there)
    git(there, "push", "--quiet", "--set-upstream", "origin", "main")
    assert objects(tmp_path / "remote.git") == both
    never = ("lfs.fetchrecentrefsdays=0", "lfs.fetchrecentcommitsdays=0", "lfs.pruneoffsetdays=0")
    git(there, *(word for setting in never for word in ("-c", setting)), "lfs", "prune")
    assert objects(there) == ids(there) < both
    assert kvcs("verify", "HEAD~1:m").lines[0].endswith("(4 by Git LFS pointer, not fetched)")
    git(tmp_path, "clone", "--quiet", (tmp_path / "remote.git").as_uri(), "clone")
    git(tmp_path / "clone", "lfs", "install", "--local")
    git(tmp_path / "clone", "lfs", "pull")
    assert kvcs("verify", str(tmp_path / "clone/m")).code == 0


def test_an_unconfigured_git_lfs_leaves_files_to_git(there: Path) -> None:
    git(there, "lfs", "uninstall", "--local")
    assert kvcs("commit", "m", "-m", "Model").code == 0
    assert objects(there) == set()
    assert git(there, "status", "--porcelain") == ""


def test_a_second_worktree_adds_to_the_same_store(
    there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(there, "worktree", "add", "--quiet", str(tmp_path / "second"))
    monkeypatch.chdir(tmp_path / "second")
    store(tmp_path / "second/m", stack(WIDE))
    assert kvcs("commit", "m", "-m", "Model").code == 0
    assert objects(there) == ids(there)
    assert git(tmp_path / "second", "status", "--porcelain") == ""


def test_a_sha256_repository_has_pointers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "sha256"
    git(tmp_path, "init", "--quiet", "--object-format=sha256", str(place))
    git(place, "lfs", "install", "--local")
    (place / ".gitattributes").write_text(LFS)
    monkeypatch.chdir(place)
    store(place / "m", stack(WIDE))
    assert kvcs("commit", "m", "-m", "Model").code == 0
    assert git(place, "lfs", "fsck") == "Git LFS fsck OK"
    assert kvcs("verify", "HEAD:m").lines == ["ok       HEAD:m: 18 files, every checksum holds"]
