"""Commits to a branch that is not checked out, with real git."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from gitrepo import commit_all, git, hook, state, write

from kvcs.errors import RepositoryError
from kvcs.repo import Repository, locks

FILES = {"model.json": b"{}\n", "layers/dense/kernel.npy": b"1"}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, and work that is staged and work that is not."""
    root = tmp_path / "project"
    write(root, {"README.md": b"One\n", "models/a/model.json": b"old\n", "models/a/old.npy": b"0"})
    git(root, "init", "--quiet")
    commit_all(root, "First")
    write(root, {"README.md": b"Two\n", "staged.txt": b"", "loose.txt": b""})
    git(root, "add", "staged.txt")
    monkeypatch.chdir(root)
    return root


def writing(files: Mapping[str, bytes]) -> Callable[[Path], None]:
    return lambda directory: write(directory, files)


def commit(
    files: Mapping[str, bytes] = FILES, branch: str = "run/1", directory: str = "models/a"
) -> str | None:
    with Repository.discover() as repository:
        return repository.commit_to_branch(
            branch, Path(directory), writing(files), "Train", [("Kvcs-Metric", "loss=0.5")]
        )


def test_leaves_everything_else_alone(root: Path) -> None:
    before = state(root), git(root, "rev-parse", "HEAD"), sorted(Path(".git").iterdir())
    made = commit()
    assert (state(root), git(root, "rev-parse", "HEAD")) == before[:2]
    assert sorted(Path(".git").iterdir()) == before[2]
    assert git(root, "rev-parse", "run/1") == made
    assert git(root, "rev-parse", "run/1^") == git(root, "rev-parse", "HEAD")
    assert git(root, "ls-tree", "-r", "--name-only", "run/1").splitlines() == [
        "README.md",
        "models/a/layers/dense/kernel.npy",
        "models/a/model.json",
    ]
    assert git(root, "log", "-1", "--format=%B", "run/1") == "Train\n\nKvcs-Metric: loss=0.5\n"
    assert git(root, "show", "run/1:README.md") == "One"


def test_the_next_one_follows(root: Path) -> None:
    first = commit()
    assert commit() is None  # the same once more
    second = commit({**FILES, "model.json": b"{1}\n"})
    assert git(root, "rev-parse", "run/1^") == first
    assert git(root, "rev-parse", "run/1") == second
    git(root, "fsck", "--strict")


def test_before_the_first_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "--quiet", "fresh")
    monkeypatch.chdir(tmp_path / "fresh")
    commit()
    assert git(Path(), "rev-list", "--count", "run/1") == "1"


def test_from_a_linked_worktree(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(root, "worktree", "add", "--quiet", str(tmp_path / "linked"))
    monkeypatch.chdir(tmp_path / "linked")
    made = commit()
    assert git(root, "rev-parse", "run/1") == made


def test_a_bare_repository(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", "project", "bare.git")
    monkeypatch.chdir(tmp_path / "bare.git")
    assert commit()


def test_what_git_ignores_and_sparse_checkouts_do_not_matter(root: Path) -> None:
    write(root, {".gitignore": b"*.npy\n"})
    commit_all(root, "Ignore")
    git(root, "sparse-checkout", "set", "elsewhere")
    commit()
    assert "models/a/layers/dense/kernel.npy" in git(root, "ls-tree", "-r", "run/1")


def test_filters_hold(root: Path) -> None:
    write(root, {".gitattributes": b"*.npy filter=upper\n"})
    commit_all(root, "Attributes")
    git(root, "config", "filter.upper.clean", "tr a-z A-Z")
    commit({**FILES, "layers/dense/kernel.npy": b"abc"})
    assert git(root, "show", "run/1:models/a/layers/dense/kernel.npy") == "ABC"


def test_no_hooks_run(root: Path) -> None:
    for name in ("pre-commit", "commit-msg", "post-commit"):
        hook(root, name, "exit 1")
    assert commit()


@pytest.mark.parametrize(
    ("branch", "message"),
    [
        ("main", "Branch 'main' is checked out in "),
        ("a..b", "'a..b' cannot be the name of a branch."),
        ("-d", "'-d' cannot be the name of a branch."),
        ("", "'' cannot be the name of a branch."),
    ],
)
def test_refused(root: Path, branch: str, message: str) -> None:
    before = state(root)
    with pytest.raises(RepositoryError) as caught:
        commit(branch=branch)
    assert str(caught.value).startswith(message)
    assert state(root) == before


def test_a_branch_that_would_be_a_directory(root: Path) -> None:
    git(root, "branch", "run")
    with pytest.raises(RepositoryError, match="was not moved to"):
        commit()


def test_the_root(root: Path) -> None:
    with pytest.raises(RepositoryError, match="root of a repository"):
        commit(directory=".")


def test_a_branch_that_moved_meanwhile(root: Path) -> None:
    commit()
    moved = git(root, "rev-parse", "HEAD")

    def write_and_move(directory: Path) -> None:
        write(directory, {"model.json": b"new"})
        git(root, "update-ref", "refs/heads/run/1", moved)

    with Repository.discover() as repository, pytest.raises(RepositoryError, match="not moved"):
        repository.commit_to_branch("run/1", Path("models/a"), write_and_move, "Train")
    assert git(root, "rev-parse", "run/1") == moved


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_repository_that_cannot_be_written(root: Path) -> None:
    Path(".git").chmod(0o500)
    try:
        with pytest.raises(RepositoryError, match="got no commit"):
            commit()
    finally:
        Path(".git").chmod(0o700)


def test_what_a_killed_commit_left_is_removed(root: Path) -> None:
    for name in ("kvcs-deadbeef", "kvcs-running_"):
        write(root, {f".git/{name}/tree/models/a/model.json": b"half"})
    running = os.open(".git/kvcs-running_", os.O_RDONLY)
    assert locks.lock(running)
    commit()
    assert [path.name for path in Path(".git").glob("kvcs-*")] == ["kvcs-running_"]
    os.close(running)
    commit({**FILES, "state.json": b"{}"})
    assert list(Path(".git").glob("kvcs-*")) == []
