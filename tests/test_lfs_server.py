"""Git LFS over HTTP: what is pushed, and how often a server is asked for it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from cli import kvcs, refused
from clones import LFS, clone, needs_lfs, objects, publish, tensors, whole
from gitrepo import commit_all, git
from lfs_server import Server, serving

import kvcs as library
from kvcs.checksum import sha256
from kvcs.repo import Repository

pytestmark = [
    needs_lfs,
    pytest.mark.skipif(find_spec("giftless") is None, reason="giftless is not installed"),
]

ASKED = "POST objects/batch"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as found:
        yield found


def downloads(files: set[str], remote: Path) -> list[str]:
    return [f"GET {oid}" for oid in sorted({sha256([whole(remote)[path]]) for path in files})]


def test_the_objects_of_a_model_are_asked_for_once(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = publish(tmp_path, lfs=True, url=server.url)
    uploaded = [line for line in server.requests() if line.startswith("PUT ")]
    assert len(uploaded) == 13  # nine tensors, and four other biases in the first version
    place = clone(remote, lfs=True)
    monkeypatch.chdir(place)
    assert kvcs("verify", "v2:m").code == kvcs("digest", "v2:m").code == 0
    assert kvcs("show", "v2:m").code == kvcs("diff", "v1:m", "v2:m", "--no-stats").code == 0
    assert server.requests() == []
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        files.fetch(files)
        assert dict(files) == whole(remote)
    batch, *got = server.requests()
    assert batch == ASKED
    assert sorted(got) == downloads(tensors(remote), remote)


def test_a_diff_asks_for_the_weights_that_changed(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = publish(tmp_path, lfs=True, url=server.url)
    monkeypatch.chdir(clone(remote, lfs=True))
    server.requests()
    assert kvcs("diff", "v1:m", "v2:m").code == 0
    requests = server.requests()
    assert requests.count(ASKED) == 2  # for each version once
    assert len(requests) == 2 + 8


def test_an_object_that_the_server_has_not_is_named(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = publish(tmp_path, lfs=True, url=server.url)
    monkeypatch.chdir(clone(remote, lfs=True))
    lost = sha256([whole(remote)["optimizer/iterations.npy"]])
    next((tmp_path / "objects").rglob(lost)).unlink()
    said = refused("checkout", "v2:m", "-o", "m.keras")
    assert "git-lfs could not fetch 1 of 9 objects: " in said
    assert "404" in said


def test_a_server_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path) as server:
        remote = publish(tmp_path, lfs=True, url=server.url)
    monkeypatch.chdir(clone(remote, lfs=True))
    said = refused("checkout", "v2:m", "-o", "m.keras")
    assert "git-lfs could not fetch 9 of 9 objects: " in said
    assert "connection refused. Check the connection and `git lfs env`" in said


def test_a_live_model_is_committed_pushed_and_loaded(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keras = pytest.importorskip("keras")
    author = tmp_path / "author"
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    git(tmp_path, "init", "--quiet", str(author))
    git(author, "lfs", "install", "--local")
    git(author, "remote", "add", "origin", (tmp_path / "remote.git").as_uri())
    (author / ".gitattributes").write_text(LFS)
    (author / ".lfsconfig").write_text(f"[lfs]\n\turl = {server.url}\n\tlocksverify = false\n")
    commit_all(author, "Begin")
    model = keras.Sequential([keras.Input((300,)), keras.layers.Dense(600), keras.layers.Dense(9)])
    model.compile("sgd")
    monkeypatch.chdir(author)
    library.commit(model, author / "m", "Model")
    assert git(author, "status", "--porcelain") == ""
    git(author, "push", "--quiet", "origin", "main")
    place = clone(tmp_path / "remote.git", lfs=True)
    monkeypatch.chdir(place)
    server.requests()
    loaded = library.load("HEAD:m")
    requests = server.requests()
    assert requests.count(ASKED) == 1
    assert len(requests) == 1 + len(objects(place))
    for mine, yours in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)
    assert git(place, "status", "--porcelain") == ""
