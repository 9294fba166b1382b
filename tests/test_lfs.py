"""Stored models whose tensors Git LFS keeps: read, verified and fetched, by the real git-lfs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli import kvcs, refused
from clones import clone, commands, contents, needs_lfs, objects, publish, tensors, whole
from gitrepo import git

from kvcs.checksum import sha256
from kvcs.errors import RepositoryError
from kvcs.pointer import Pointer
from kvcs.repo import Repository
from kvcs.repo.lfs.store import LfsStore, objects_around
from kvcs.repo.program import GitProgram
from kvcs.workdir import Directory

pytestmark = needs_lfs

# What git's own log calls git-lfs, a command that is none of its own.
GIT_LFS = "_run_dashed_"


@pytest.fixture
def remote(tmp_path: Path, templates: Path) -> Path:
    return publish(tmp_path, lfs=True, templates=templates)


@pytest.fixture
def there(remote: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone that has pointers only, and is the current directory."""
    place = clone(remote, lfs=True)
    monkeypatch.chdir(place)
    assert objects(place) == set()
    return place


def pointer_to(content: bytes) -> Pointer:
    return Pointer(sha256([content]), len(content))


def directory(path: Path) -> Directory:
    return Directory(path, lambda: objects_around(path))


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("operand", ["v2:m", ":m", "HEAD~0:./m"])
def test_a_revision_is_read_from_the_store_of_git_lfs(
    remote: Path, there: Path, operand: str
) -> None:
    git(there, "lfs", "fetch", "origin", "v2")
    with Repository.discover() as repository:
        files = repository.revision(operand)
        assert dict(files) == whole(remote)
        assert files.absent(files) == {}


def test_what_is_absent_is_known_by_its_pointer(remote: Path, there: Path) -> None:
    expected = {path: pointer_to(whole(remote)[path]) for path in tensors(remote)}
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        assert files.absent(files) == expected
        assert files.absent([path for path in files if path.endswith(".json")]) == {}
    checkout = directory(there / "m")
    assert checkout.absent(checkout) == expected
    assert objects(there) == set()


def test_all_that_is_asked_for_is_fetched_by_one_git_lfs(
    remote: Path, there: Path, tmp_path: Path
) -> None:
    news: list[tuple[int, int]] = []
    with commands(tmp_path / "log") as run, Repository.discover() as repository:
        files = repository.revision("v2:m")
        files.fetch(files, lambda done, total: news.append((done, total)))
        found = contents(files)
    assert run.count(GIT_LFS) == 1
    assert found.keys() == tensors(remote)
    size = sum(len(whole(remote)[path]) for path in tensors(remote))
    assert news[0] == (0, size)
    assert news[-1] == (size, size)
    assert news == sorted(news)
    assert objects(there) == {sha256([whole(remote)[path]]) for path in tensors(remote)}


def test_what_is_read_without_being_fetched_first_is_fetched_alone(
    remote: Path, there: Path
) -> None:
    path = min(tensors(remote))
    with Repository.discover() as repository:
        assert repository.revision("v2:m")[path] == whole(remote)[path]
    assert objects(there) == {sha256([whole(remote)[path]])}


def test_a_directory_of_pointers_is_read_and_stays_as_it_is(remote: Path, there: Path) -> None:
    checkout = directory(there / "m")
    checkout.fetch(checkout)
    assert dict(checkout) == whole(remote)
    assert all(path.stat().st_size < 1024 for path in (there / "m").rglob("*.npy"))
    assert git(there, "status", "--porcelain") == ""


def test_without_a_store_a_pointer_is_a_file_like_any_other(remote: Path, there: Path) -> None:
    path = min(tensors(remote))
    assert Directory(there / "m")[path] == bytes(pointer_to(whole(remote)[path]))


def test_what_the_user_excludes_from_checkouts_is_fetched_all_the_same(
    remote: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(there, "config", "lfs.fetchexclude", "*")
    git(there, "config", "lfs.fetchinclude", "elsewhere")
    monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        files.fetch(files)
        assert files.absent(files) == {}


def test_the_store_may_be_elsewhere(remote: Path, there: Path, tmp_path: Path) -> None:
    git(there, "config", "lfs.storage", str(tmp_path / "store"))
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        files.fetch(files)
    assert len(list((tmp_path / "store/objects").rglob("*"))) > len(tensors(remote))
    assert objects(there) == set()


def test_worktrees_share_a_store_and_a_bare_repository_has_one(
    remote: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(there, "lfs", "fetch", "origin", "v2")
    git(there, "worktree", "add", "--quiet", "../second", "v2")
    assert dict(directory(there.parent / "second/m")) == whole(remote)
    monkeypatch.chdir(remote)
    with Repository.discover() as repository:
        assert dict(repository.revision("v2:m")) == whole(remote)


def test_a_bare_clone_fetches_too(remote: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(clone(remote, "--bare"))
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        files.fetch(files)
        assert dict(files) == whole(remote)


def test_objects_are_borrowed_from_the_repository_that_git_borrows_from(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "borrower"
    git(tmp_path, "clone", "--quiet", "--shared", "--no-checkout", "author", str(place))
    git(place, "remote", "remove", "origin")
    monkeypatch.chdir(place)
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        files.fetch(files)
        assert dict(files) == whole(remote)


def test_a_hook_has_a_git_directory_of_its_own_kind(
    remote: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", ".git")
    checkout = directory(Path("m"))
    checkout.fetch(checkout)
    assert dict(checkout) == whole(remote)


def test_an_object_of_another_size_is_fetched_again(remote: Path, there: Path) -> None:
    git(there, "lfs", "fetch", "origin", "v2")
    path = min(tensors(remote))
    store = LfsStore(GitProgram(there))
    cut = store.path(sha256([whole(remote)[path]]))
    cut.unlink()  # a link to that of the remote
    cut.write_bytes(b"half")
    with Repository.discover() as repository:
        assert repository.revision("v2:m")[path] == whole(remote)[path]


# --- what cannot be fetched ----------------------------------------------------------------------


def test_an_object_that_the_remote_lost_is_an_error_that_names_it(
    remote: Path, there: Path
) -> None:
    lost = sha256([whole(remote)[min(tensors(remote))]])
    next((remote / "lfs/objects").rglob(lost)).unlink()
    with Repository.discover() as repository:
        files = repository.revision("v2:m")
        with pytest.raises(RepositoryError, match=f"could not fetch 1 of 9 objects: .*{lost}"):
            files.fetch(files)
        assert len(files.absent(files)) == 1


def test_without_a_remote_the_error_says_what_to_do(there: Path) -> None:
    git(there, "remote", "remove", "origin")
    said = refused("checkout", "v2:m", "-o", "m.keras")
    assert "could not fetch 9 of 9 objects: there is no remote to fetch from. Check" in said
    assert "`git lfs fetch --all`" in said


def test_without_git_lfs_the_error_says_so(
    there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_alone = tmp_path / "bin"
    git_alone.mkdir()
    (git_alone / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(git_alone))
    said = refused("checkout", "v2:m", "-o", "m.keras")
    assert "there is no git-lfs to fetch them: install it" in said


def test_pointers_outside_of_a_repository_cannot_be_read(
    remote: Path, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(there / "m", tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    assert kvcs("verify", "m").code == 0
    assert "no git repository is around it" in refused("checkout", "m", "-o", "m.keras")


# --- with pointers only --------------------------------------------------------------------------


@pytest.mark.parametrize("operand", ["m", "v2:m", ":m"])
def test_verify_digest_and_show_fetch_nothing(remote: Path, there: Path, operand: str) -> None:
    done = kvcs("verify", operand)
    assert done.code == 0
    said = f"ok       {operand}: 18 files, every checksum holds (9 by Git LFS pointer, not fetched)"
    assert done.lines == [said]
    author = remote.parent / "author/m"
    assert kvcs("digest", operand).out == kvcs("digest", str(author)).out
    assert kvcs("show", operand).code == 0
    assert objects(there) == set()


def test_a_diff_of_settings_fetches_nothing(there: Path) -> None:
    manifest = there / "m/model.json"
    manifest.write_bytes(manifest.read_bytes())
    assert kvcs("diff", "v2:m", "m", "--exit-code").code == 0
    assert kvcs("diff", "v1", "v2", "--no-stats", "--exit-code").code == 1
    assert objects(there) == set()


def test_a_diff_of_weights_fetches_those_that_changed_at_once(
    remote: Path, there: Path, tmp_path: Path
) -> None:
    with commands(tmp_path / "log") as run:
        done = kvcs("diff", "v1:m", "v2:m")
    assert done.code == 0
    assert "4 weights" in done.lines[-1]
    assert run.count(GIT_LFS) == 2  # of the biases: one for each side
    assert len(objects(there)) == 8


def test_what_cannot_be_fetched_is_asked_for_once(
    there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(there, "remote", "remove", "origin")
    with commands(tmp_path / "log") as run, Repository.discover() as repository:
        files = repository.revision("v2:m")
        for path in sorted(files):
            if path.endswith("bias.npy"):
                with pytest.raises(RepositoryError):
                    files.fetch([path])
                with pytest.raises(RepositoryError, match="could not fetch 1 of 1 objects"):
                    files[path]
    assert run.count(GIT_LFS) == 4


def test_a_pointer_to_another_object_is_damage(there: Path) -> None:
    path = next((there / "m").rglob("kernel.npy"))
    pointer = pointer_to(b"another")
    path.write_bytes(bytes(pointer))
    done = kvcs("verify", "m")
    assert done.code == 1
    assert "altered: its Git LFS pointer is that of another file" in done.out


def test_a_pointer_with_another_size_is_damage(there: Path) -> None:
    path = next((there / "m").rglob("kernel.npy"))
    path.write_bytes(path.read_bytes().replace(b"size 4", b"size 5"))
    done = kvcs("verify", "m")
    assert done.code == 1
    assert "its Git LFS pointer says 5" in done.out


def test_an_object_that_is_here_is_read_and_its_damage_found(remote: Path, there: Path) -> None:
    git(there, "lfs", "fetch", "origin", "v2")
    content = whole(remote)[min(tensors(remote))]
    stored = LfsStore(GitProgram(there)).path(sha256([content]))
    stored.unlink()  # a link to that of the remote
    stored.write_bytes(content[:-1] + b"?")
    done = kvcs("verify", "v2:m")
    assert done.code == 1
    assert "altered: its SHA-256 is not the recorded one" in done.out


# --- adding --------------------------------------------------------------------------------------


def test_an_added_file_is_an_object_of_git_lfs(there: Path) -> None:
    source = there / "large.npy"
    source.write_bytes(b"x" * 3_000_000)
    store = LfsStore(GitProgram(there))
    with source.open("rb") as file:
        pointer = store.add(file)
    assert bytes(pointer).decode() == git(there, "lfs", "clean", stdin=source.read_bytes()) + "\n"
    assert store.holds(pointer)
    assert store.read(pointer) == source.read_bytes()
    assert store.path(pointer.oid).stat().st_nlink == 1
    assert list((store.directory / "tmp").iterdir()) == []


def test_adding_twice_writes_once(there: Path) -> None:
    source = there / "large.npy"
    source.write_bytes(b"x" * 5000)
    store = LfsStore(GitProgram(there))
    with source.open("rb") as file:
        before = store.path(store.add(file).oid).stat()
        file.seek(0)
        after = store.path(store.add(file).oid).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_store_that_cannot_be_written_is_an_error(there: Path) -> None:
    store = LfsStore(GitProgram(there))
    shutil.rmtree(store.directory, ignore_errors=True)
    store.directory.write_text("no directory")
    with (
        (there / ".gitattributes").open("rb") as file,
        pytest.raises(RepositoryError, match="could not write to the Git LFS store"),
    ):
        store.add(file)
