"""Partial clones: what a model needs is fetched in one request, and nothing before it is needed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from cli import kvcs, refused, store
from clones import clone, commands, contents, needs_lfs, publish, stack, tensors, whole
from gitrepo import git

from kvcs.errors import RepositoryError
from kvcs.repo import Repository

pytestmark = pytest.mark.parametrize("part", ["blob:none", "blob:limit=4k"])


@pytest.fixture
def remote(tmp_path: Path, templates: Path) -> Path:
    return publish(tmp_path, lfs=False, templates=templates)


@pytest.fixture
def there(remote: Path, part: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A partial clone without a checkout, as the current directory."""
    place = clone(remote, f"--filter={part}", "--no-checkout")
    monkeypatch.chdir(place)
    return place


def missing(place: Path, revision: str = "v2") -> int:
    listed = git(place, "rev-list", "--objects", "--missing=print", f"{revision}:m")
    return sum(line.startswith("?") for line in listed.splitlines())


def test_a_model_is_fetched_in_one_request(
    remote: Path, there: Path, tmp_path: Path, part: str
) -> None:
    assert missing(there)
    with commands(tmp_path / "log") as run, Repository.discover() as repository:
        files = repository.revision("v2:m")
        absent = files.absent(files)
        files.fetch(files)
        assert contents(files).keys() == tensors(remote)
        assert dict(files) == whole(remote)
    assert set(absent.values()) == {None}
    if part == "blob:none":
        assert absent.keys() == whole(remote).keys()
    assert run.count("fetch") == 1
    assert missing(there) == 0


def test_what_was_read_before_the_fetch_does_not_hide_what_came(remote: Path, there: Path) -> None:
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        assert files["model.json"] == whole(remote)["model.json"]
        files.fetch(files)
        assert files.absent(files) == {}
        git(there, "remote", "set-url", "origin", "/nowhere")
        assert dict(files) == whole(remote)


def test_the_index_is_read_in_one_request(remote: Path, there: Path, tmp_path: Path) -> None:
    git(there, "read-tree", "v2")
    with commands(tmp_path / "log") as run, Repository.discover() as repository:
        files = repository.revision(":m")
        files.fetch(files)
        assert dict(files) == whole(remote)
    assert run.count("fetch") == 1


@pytest.mark.parametrize("command", ["verify", "checkout"])
def test_commands_that_need_a_whole_model_make_one_request(
    there: Path, tmp_path: Path, command: str
) -> None:
    output = ("-o", "m.keras") * (command == "checkout")
    with commands(tmp_path / "log") as run:
        done = kvcs(command, "v2:m", *output)
    assert done.code == 0 or "Keras" in done.err  # which writes no file of this model
    assert run.count("fetch") == 1


@pytest.mark.parametrize("command", ["show", "digest"])
def test_descriptions_fetch_no_tensor(there: Path, tmp_path: Path, part: str, command: str) -> None:
    with commands(tmp_path / "log") as run:
        assert kvcs(command, "v2:m").code == 0
    assert run.count("fetch") == (part == "blob:none")
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        kernels = {path for path in files if path.endswith("kernel.npy")}
        assert kernels <= set(files.absent(files))


def test_a_diff_of_settings_fetches_no_tensor(there: Path, tmp_path: Path, part: str) -> None:
    with commands(tmp_path / "log") as run:
        assert kvcs("diff", "v1:m", "v2:m", "--no-stats", "--exit-code").code == 1
    assert run.count("fetch") == 2 * (part == "blob:none")
    with Repository.discover() as repository:
        files = repository.revision("v1:m")
        assert any(path.endswith(".npy") for path in files.absent(files))


def test_a_commit_fetches_nothing(there: Path, tmp_path: Path) -> None:
    git(there, "checkout", "--quiet", "main")
    store(there / "m", stack(), bias=3.0)
    with commands(tmp_path / "log") as run:
        assert kvcs("commit", "m", "-m", "Third").code == 0
    assert run.count("fetch") == 0
    assert git(there, "status", "--porcelain") == ""


def test_an_unreachable_remote_is_an_error_that_says_what_to_do(remote: Path, there: Path) -> None:
    shutil.rmtree(remote)
    said = refused("verify", "v2:m")
    assert said.startswith("This is a partial clone, and ")
    assert f"could not be fetched from 'origin' ('{remote}' does not appear to be" in said
    assert "Check the connection" in said


def test_an_unreachable_remote_is_asked_once(remote: Path, there: Path, tmp_path: Path) -> None:
    shutil.rmtree(remote)
    with commands(tmp_path / "log") as run, Repository.discover() as repository:
        files = repository.revision("v2:m")
        with pytest.raises(RepositoryError):
            files.fetch(files)
        for path in tensors_of(files):
            with pytest.raises(RepositoryError, match="This is a partial clone"):
                files[path]
    assert run.count("fetch") == 1


def tensors_of(files: Iterable[str]) -> list[str]:
    return [path for path in files if path.endswith("kernel.npy")]


def test_models_are_found_in_one_request(there: Path, tmp_path: Path, part: str) -> None:
    with commands(tmp_path / "log") as run:
        assert kvcs("diff", "v1", "v2", "--no-stats").code == 0
    assert run.count("fetch") == 4 * (part == "blob:none")  # which models, then each of them


def test_the_other_remote_is_asked_too(remote: Path, there: Path) -> None:
    shutil.copytree(remote, remote.parent / "other.git")
    git(there, "remote", "add", "other", (remote.parent / "other.git").as_uri())
    git(there, "config", "remote.other.promisor", "true")
    shutil.rmtree(remote)
    assert kvcs("verify", "v2:m").code == 0


def test_settings_of_the_clone_stay(there: Path) -> None:
    before = (there / ".git/config").read_bytes()
    kvcs("verify", "v2:m")
    assert (there / ".git/config").read_bytes() == before
    assert not (there / ".git/FETCH_HEAD").exists()


@needs_lfs
def test_with_git_lfs_pointers_are_fetched_in_one_request_and_objects_in_another(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lfs").mkdir()
    remote = publish(tmp_path / "lfs", lfs=True)
    place = clone(remote, f"--filter={part}", "--no-checkout", lfs=True)
    monkeypatch.chdir(place)
    done = kvcs("verify", "v2:m")
    assert "9 by Git LFS pointer, not fetched" in done.out
    with commands(tmp_path / "log") as run, Repository.discover() as repository:
        files = repository.revision("v1:m")
        files.fetch(files)
        contents(files)
    assert run.count("fetch") == (part == "blob:none")
    assert run.count("_run_dashed_") == 1


def test_an_ordinary_clone_is_asked_nothing(
    remote: Path, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(remote.parent / "author")
    with commands(tmp_path / "log") as run:
        assert kvcs("verify", "v2:m").code == 0
    assert {"fetch", "rev-list"}.isdisjoint(run)
