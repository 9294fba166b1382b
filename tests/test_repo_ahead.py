"""Objects that are asked for ahead come right, in whatever order they are read then."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from gitrepo import commit_all, git, write

from kvcs.errors import RepositoryError
from kvcs.repo import Repository

FILES = {f"{name}.npy": name.encode() * 300_000 for name in "abcd"}


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    git(tmp_path, "init", "--quiet")
    write(tmp_path, {f"m/{name}": content for name, content in FILES.items()})
    write(tmp_path, {f"m/{n}/layer.json": str(n).encode() for n in range(9)})
    commit_all(tmp_path)
    with Repository.discover(tmp_path) as found:
        yield found


@pytest.mark.parametrize("order", list(permutations(FILES, 3)))
def test_in_any_order(repository: Repository, order: tuple[str, ...]) -> None:
    tree = repository.revision("HEAD:m")
    tree.expect(["a.npy", "b.npy", "c.npy", "not there"])
    for name in (*order, order[0]):
        assert tree[name] == FILES[name]


def test_something_else_in_between(repository: Repository) -> None:
    tree = repository.revision("HEAD:m")
    tree.expect(["a.npy", "b.npy"])
    assert tree["a.npy"] == FILES["a.npy"]
    assert tree["7/layer.json"] == b"7"
    assert tree["b.npy"] == FILES["b.npy"]


def test_small_files_come_together(repository: Repository, tmp_path: Path) -> None:
    many = {f"n/{n}/layer.json": str(n % 1100).encode() for n in range(1200)}
    write(tmp_path, many)
    commit_all(tmp_path)
    tree = repository.revision("HEAD:n")
    assert {f"n/{path}": tree[path] for path in tree} == many


def test_nobody_reads_what_was_asked_for(repository: Repository) -> None:
    tree = repository.revision("HEAD:m")
    tree.expect(["a.npy", "b.npy"])
    assert tree["a.npy"] == FILES["a.npy"]
    repository.close()  # and does not wait for ever


def test_an_object_that_is_lost(repository: Repository, tmp_path: Path) -> None:
    lost = git(tmp_path, "rev-parse", "HEAD:m/b.npy")
    tree = repository.revision("HEAD:m")
    (tmp_path / ".git/objects" / lost[:2] / lost[2:]).unlink()
    tree.expect(["a.npy", "b.npy", "c.npy"])
    assert tree["a.npy"] == FILES["a.npy"]
    with pytest.raises(RepositoryError, match=lost):
        tree["b.npy"]
    assert tree["c.npy"] == FILES["c.npy"]
