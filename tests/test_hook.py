"""`kvcs hook`, called by git itself in a repository that `kvcs init` has set up."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from cli import dense, image, kvcs, nested, process, small, store, weight
from gitrepo import begin, commit_all, git, hook, write

from kvcs.spec import StoredModel


class Ran(NamedTuple):
    status: int
    said: str


@pytest.fixture
def root(tmp_path: Path, sealed: Path, templates: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one committed model and kvcs's hooks; the tests run inside of it."""
    root = tmp_path / "a project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    begin(templates / "hooks", (tmp_path, sealed), lambda: make(root))
    return root


def make(root: Path) -> None:
    git(root, "init", "--quiet")
    program(root.parent / "bin")
    assert kvcs("init").code == 0
    for section in ("diff.kvcs", "diff.kvcs-npy"):  # what is tested here are hooks alone
        git(root, "config", "--global", "--remove-section", section)
    store(root / "models/m")
    write(root, {"README.md": b"Models.\n"})
    commit_all(root, "First")


def program(directory: Path) -> None:
    """Write a `kvcs` that is this one, for PATH."""
    directory.mkdir()
    (directory / "kvcs").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kvcs "$@"\n')
    (directory / "kvcs").chmod(0o755)


def run(*arguments: str, **variables: str) -> Ran:
    """Run git, and return what the hooks said."""
    done = subprocess.run(
        ["git", *arguments], env={**os.environ, **variables}, capture_output=True, text=True
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("kvcs: ")]
    return Ran(done.returncode, "\n".join(line.removeprefix("kvcs: ") for line in lines))


def judged(**variables: str) -> Ran:
    """Ask the hook about what is staged, in this process: a commit starts two."""
    with patch.dict(os.environ, variables):
        done = kvcs("hook", "pre-commit")
    return Ran(done.code, "\n".join(line.removeprefix("kvcs: ") for line in done.err.splitlines()))


def silently(*arguments: str) -> str:
    """Run git without its hooks."""
    return git(Path(), "-c", "core.hooksPath=/", *arguments)


def two_layers() -> StoredModel:
    """Describe the small model with a layer more."""
    found = small()
    second = replace(dense("head", source="dense"), path="layers/head")
    return replace(found, model=replace(found.model, layers=(image(), dense("dense"), second)))


def large() -> StoredModel:
    """Describe the small model with a kernel for which a pack is worthwhile."""
    found = small()
    layer = dense("dense")
    tensors = {"kernel": weight("kernel", 300, 600)}
    layer = replace(layer, layer=replace(layer.layer, tensors=tensors))
    return replace(found, model=replace(found.model, layers=(image(), layer)))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


ALTERED = "altered: its SHA-256 is not the recorded one"


class TestPreCommit:
    def test_a_whole_model_is_committed(self, root: Path) -> None:
        store(root / "models/m", bias=1.0)
        git(root, "add", "models")
        assert run("commit", "-m", "Train") == (0, "")

    def test_half_a_model_is_not(self, root: Path) -> None:
        store(root / "models/m", bias=1.0)
        git(root, "add", "models/m/layers/dense/bias.npy")
        assert run("commit", "-m", "Train") == (
            1,
            (
                "nothing was committed:\n"
                "models/m is not whole as it is staged: `git add models/m` stages all of it\n"
                f"  layers/dense/bias.npy (layer layers/dense): {ALTERED}\n"
                "`git commit --no-verify` commits it all the same"
            ),
        )
        assert run("commit", "--no-verify", "-m", "Train").status == 0

    def test_the_other_half_is_not_either(self, root: Path) -> None:
        """The tensor is as in HEAD; its description is not."""
        store(root / "models/m", bias=1.0)
        git(root, "add", "models/m/layers/dense/layer.json", "models/m/model.json")
        assert f"bias.npy (layer layers/dense): {ALTERED}" in judged().said

    def test_the_index_counts_and_not_the_working_tree(self, root: Path) -> None:
        store(root / "models/m", bias=1.0)
        git(root, "add", "models")
        (root / "models/m/model.json").unlink()
        (root / "models/m/layers/dense/bias.npy").write_bytes(b"")
        assert judged() == (0, "")

    def test_what_is_not_staged_is_not_looked_at(self, root: Path) -> None:
        (root / "models/m/layers/dense/bias.npy").write_bytes(b"")
        write(root, {"README.md": b"More.\n"})
        git(root, "add", "README.md")
        assert judged() == (0, "")

    def test_all_that_is_tracked(self, root: Path) -> None:
        """`git commit -a` has an index of its own while the hooks run."""
        store(root / "models/m", bias=1.0)
        assert run("commit", "-a", "-m", "Train") == (0, "")
        (root / "models/m/layers/dense/bias.npy").write_bytes(b"")
        assert "truncated: 0 bytes are not all of it" in run("commit", "-a", "-m", "Train").said

    def test_some_paths(self, root: Path) -> None:
        store(root / "models/m", bias=1.0)
        assert ALTERED in run("commit", "-m", "Train", "--", "models/m/layers").said
        assert run("commit", "-m", "Train", "--", "models/m") == (0, "")

    def test_from_a_directory_below(self, root: Path) -> None:
        store(root / "models/m", bias=1.0)
        assert ALTERED in run("-C", "models/m", "commit", "-m", "Train", "--", "layers").said
        assert run("-C", "models", "commit", "-m", "Train", "--", "m") == (0, "")

    def test_kvcs_commit(self, root: Path) -> None:
        store(root / "models/m", bias=1.0)
        assert kvcs("commit", "models/m", "-m", "Train").code == 0

    def test_kvcs_commit_tells_what_it_has_read(self, root: Path, tmp_path: Path) -> None:
        (root / ".git/hooks/pre-commit").rename(root / ".git/hooks/pre-commit.kvcs")
        hook(root, "pre-commit", f'cp "$KVCS_READ_BEFORE" "{tmp_path}/told"; exec "$0.kvcs"')
        store(root / "models/large", large())
        assert kvcs("commit", "models/large", "-m", "Large").code == 0
        told = dict(line.split() for line in (tmp_path / "told").read_text().splitlines())
        assert told == {
            git(root, "rev-parse", f"HEAD:{path.relative_to(root)}"): sha256(path.read_bytes())
            for path in sorted((root / "models/large").rglob("*.npy"))
        }
        assert not list((root / ".git").glob("index.*"))

    def test_what_was_read_before_is_not_read_again(self, root: Path, tmp_path: Path) -> None:
        store(root / "models/m", bias=1.0)
        tensor = root / "models/m/layers/dense/bias.npy"
        recorded = sha256(tensor.read_bytes())
        tensor.write_bytes(tensor.read_bytes()[:-1] + b"\1")
        git(root, "add", "models")
        name, told = git(root, "rev-parse", ":models/m/layers/dense/bias.npy"), tmp_path / "told"
        for content in ("", f"{name} {sha256(b'')}\n", f"{sha256(b'')} {recorded}\n", "?"):
            told.write_text(content)
            assert ALTERED in judged(KVCS_READ_BEFORE=str(told)).said
        told.write_text(f"{name} {recorded}\n")
        assert judged(KVCS_READ_BEFORE=str(told)) == (0, "")

    def test_amended(self, root: Path) -> None:
        store(root / "models/m", bias=1.0)
        git(root, "add", "models/m/layers/dense/bias.npy")
        assert ALTERED in run("commit", "--amend", "--no-edit").said
        git(root, "add", "models")
        assert run("commit", "--amend", "--no-edit") == (0, "")

    def test_no_commit_yet(self, tmp_path: Path, root: Path) -> None:
        git(tmp_path, "init", "--quiet", "unborn")
        os.chdir(tmp_path / "unborn")
        kvcs("init")
        store(Path("m"))
        git(Path(), "add", "m/layers", "m/model.json")
        assert "m is not whole as it is staged" in run("commit", "-m", "First").said
        git(Path(), "add", "m")
        assert run("commit", "-m", "First") == (0, "")

    def test_no_manifest(self, root: Path) -> None:
        git(root, "rm", "--quiet", "--cached", "models/m/model.json")
        assert "models/m has layers staged, but no model.json" in judged().said

    def test_a_model_that_is_removed(self, root: Path) -> None:
        git(root, "rm", "--quiet", "-r", "models/m")
        assert judged() == (0, "")

    def test_the_root_is_a_model(self, tmp_path: Path, root: Path) -> None:
        git(tmp_path, "init", "--quiet", "model")
        os.chdir(tmp_path / "model")
        store(tmp_path / "elsewhere")
        write(Path(), {p.relative_to(tmp_path / "elsewhere").as_posix(): p.read_bytes()
                       for p in (tmp_path / "elsewhere").rglob("*") if p.is_file()})  # fmt: skip
        git(Path(), "add", "layers", "model.json")
        done = kvcs("hook", "pre-commit")
        assert done.code == 1
        assert "kvcs: . is not whole as it is staged" in done.err

    def test_a_nested_model_belongs_to_the_one_around_it(self, root: Path) -> None:
        store(root / "models/n", nested())
        git(root, "add", "models")
        assert judged() == (0, "")
        path = root / "models/n/layers/encoder/layers/dense/bias.npy"
        path.write_bytes(path.read_bytes()[:-4] + b"abcd")
        git(root, "add", "models")
        assert "models/n is not whole as it is staged" in judged().said

    def test_somebody_elses_model_json(self, root: Path) -> None:
        write(root, {"web/model.json": b'{"format": "graph-model"}', "web/group1.bin": b"\0"})
        git(root, "add", "web")
        assert judged() == (0, "")

    def test_a_link_in_a_model(self, root: Path) -> None:
        (root / "models/m/link").symlink_to("model.json")
        git(root, "add", "models")
        assert "'link' is a symbolic link, not a file" in judged().said

    def test_json_of_another_form(self, root: Path) -> None:
        path = root / "models/m/training.json"
        path.write_bytes(path.read_bytes().replace(b"  ", b"    "))
        git(root, "add", "models")
        assert "not in canonical form" in judged().said

    def test_a_large_tensor(self, root: Path) -> None:
        git(root, "config", "kvcs.maxTensorSize", "150")
        store(root / "models/m", bias=1.0)
        git(root, "add", "models")
        assert judged().status == 0  # bias.npy has 140 bytes
        git(root, "config", "kvcs.maxTensorSize", "139")
        store(root / "models/m", bias=2.0)
        git(root, "add", "models")
        found = judged()
        assert found.status == 1
        assert (
            "models/m/layers/dense/bias.npy has 140 B, and a tensor without Git LFS at most 139 B"
        ) in found.said
        assert "kernel.npy" not in found.said  # as in HEAD
        git(root, "config", "kvcs.maxTensorSize", "0")
        assert judged().status == 0

    def test_a_limit_that_is_none(self, root: Path) -> None:
        git(root, "config", "kvcs.maxTensorSize", "much")
        store(root / "models/m", bias=2.0)
        git(root, "add", "models")
        found = run("commit", "-m", "Train")
        assert found.status == 1
        assert "bad numeric config value 'much'" in found.said
        assert "`git commit --no-verify` goes on without this" in found.said

    def test_pointers_of_lfs(self, root: Path) -> None:
        """Their object is the checksum: nothing is read."""
        path = root / "models/m/layers/dense/bias.npy"
        path.write_bytes(pointer("0" * 64, 140))
        git(root, "add", "models")
        assert "its Git LFS pointer is that of another file" in judged().said
        store(root / "models/m", bias=1.0)

        path.write_bytes(pointer(hashlib.sha256(path.read_bytes()).hexdigest(), 140))
        git(root, "add", "models")
        assert judged() == (0, "")

    def test_a_merge_that_is_finished_by_hand(self, root: Path) -> None:
        silently("checkout", "--quiet", "-b", "other")
        store(root / "models/m", bias=1.0)
        silently("commit", "--quiet", "--all", "-m", "Other")
        silently("checkout", "--quiet", "main")
        store(root / "models/m", bias=2.0)
        silently("commit", "--quiet", "--all", "-m", "Main")
        assert run("merge", "other").status == 1
        silently("checkout", "--ours", "models/m/layers/dense/bias.npy")
        silently("checkout", "--theirs", "models/m/layers/dense/layer.json", "models/m/model.json")
        git(root, "add", "models")
        assert ALTERED in run("commit", "--no-edit").said
        silently("checkout", "--theirs", "models/m")
        silently("checkout", "other", "--", "models/m")
        assert run("commit", "--no-edit") == (0, "")

    def test_a_linked_worktree(self, root: Path) -> None:
        git(root, "worktree", "add", "--quiet", "-b", "other", "../other")
        os.chdir("../other")
        store(Path("models/m"), bias=1.0)
        git(Path(), "add", "models/m/layers/dense/bias.npy")
        assert ALTERED in run("commit", "-m", "Train").said
        git(Path(), "add", "models")
        assert run("commit", "-m", "Train") == (0, "")

    def test_without_kvcs(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", os.environ["PATH"].partition(os.pathsep)[2])
        if shutil.which("kvcs"):
            pytest.skip("kvcs is on PATH beside the one of this test")
        done = subprocess.run(
            ["git", "commit", "--allow-empty", "-m", "x"], capture_output=True, text=True
        )
        assert done.returncode == 0
        assert "kvcs is not on PATH: staged models were not checked\n" in done.stderr


def pointer(sha256: str, size: int) -> bytes:
    return (
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
    )


class TestPrepareCommitMsg:
    SAID = "models/m: ARCHITECTURE: 1 layer inserted"

    @pytest.fixture
    def staged(self, root: Path) -> Path:
        store(root / "models/m", two_layers())
        git(root, "add", "models")
        return root

    def edited(self, *arguments: str, **variables: str) -> list[str]:
        """Return what git shows in an editor."""
        show = {"GIT_EDITOR": 'cp "$1" ../shown; false #', **variables}
        run(
            "commit",
            "--no-verify",
            *arguments,
            **{**show, "GIT_EDITOR": f"sh -c '{show['GIT_EDITOR']}' sh"},
        )
        return Path("../shown").read_text().splitlines()

    def test_a_comment_under_the_message(self, staged: Path) -> None:
        lines = self.edited()
        assert lines[0] == ""
        assert lines[1].startswith(f"# {self.SAID}")
        assert lines[2:4] == [
            "#",
            "# Please enter the commit message for your changes. Lines starting",
        ]

    def test_it_is_no_part_of_the_message(self, staged: Path) -> None:
        run("commit", "--no-verify", GIT_EDITOR="sed -i '1s/^/Words/'")
        assert git(staged, "log", "-1", "--format=%B") == "Words\n"

    def test_with_a_message_and_no_editor_there_is_none(self, staged: Path) -> None:
        run("commit", "--no-verify", "-m", "Words")
        assert git(staged, "log", "-1", "--format=%B") == "Words\n"

    @pytest.mark.parametrize("option", ["--verbose", "--cleanup=scissors"])
    def test_below_the_scissors(self, staged: Path, option: str) -> None:
        lines = self.edited(option)
        cut = next(
            n for n, line in enumerate(lines) if line.endswith(">8 ------------------------")
        )
        assert next(n for n, line in enumerate(lines) if self.SAID in line) > cut
        run("commit", "--no-verify", option, GIT_EDITOR="sed -i '1s/^/Words/'")
        assert git(staged, "log", "-1", "--format=%B") == "Words\n"

    @pytest.mark.parametrize("cleanup", ["verbatim", "whitespace"])
    def test_not_where_comments_stay(self, staged: Path, cleanup: str) -> None:
        git(staged, "config", "commit.cleanup", cleanup)
        assert not any(self.SAID in line for line in self.edited())

    @pytest.mark.parametrize("char", [";", "auto"])
    def test_another_character_for_comments(self, staged: Path, char: str) -> None:
        git(staged, "config", "core.commentChar", char)
        (staged / "../template").write_text("#1: \n")
        lines = self.edited("--template=../template")
        mark = "#" if char == "auto" and git(staged, "version") < "git version 2" else ";"
        assert any(line.startswith(f"{mark} {self.SAID}") for line in lines)

    def test_as_text(self, staged: Path) -> None:
        git(staged, "config", "kvcs.summary", "text")
        run("commit", "--no-verify", "-m", "Words", "-m", "Kvcs-Metric: accuracy=0.5")
        lines = git(staged, "log", "-1", "--format=%B").splitlines()
        assert lines[:2] == ["Words", ""]
        assert lines[2].startswith(self.SAID)
        assert lines[3:5] == ["", "Kvcs-Metric: accuracy=0.5"]
        trailers = git(staged, "log", "-1", "--format=%(trailers:only=true)")
        assert trailers.strip() == "Kvcs-Metric: accuracy=0.5"

    def test_as_text_in_an_editor(self, staged: Path) -> None:
        git(staged, "config", "kvcs.summary", "text")
        lines = self.edited()
        assert lines[:2] == ["", ""]
        assert lines[2].startswith(self.SAID)

    def test_text_makes_no_message_of_nothing(self, staged: Path) -> None:
        git(staged, "config", "kvcs.summary", "text")
        assert run("commit", "--no-verify", "-m", "").status == 1

    def test_none(self, staged: Path) -> None:
        git(staged, "config", "kvcs.summary", "none")
        assert not any(self.SAID in line for line in self.edited())

    def test_another_word(self, staged: Path) -> None:
        """The commit goes on all the same: a summary is not worth it."""
        git(staged, "config", "kvcs.summary", "long")
        assert run("commit", "--no-verify", "-m", "Words") == (
            0, "kvcs.summary is 'long': expected comment, text or none",
        )  # fmt: skip

    def test_not_for_messages_that_there_are_already(self, staged: Path) -> None:
        git(staged, "config", "kvcs.summary", "text")
        run("commit", "--no-verify", "--amend", "--no-edit")
        assert git(staged, "log", "-1", "--format=%B") == "First\n"
        run("commit", "--no-verify", "-C", "HEAD", "--allow-empty")
        assert git(staged, "log", "-1", "--format=%B") == "First\n"

    def test_not_while_commits_are_made_again(self, staged: Path) -> None:
        git(staged, "config", "kvcs.summary", "text")
        run("commit", "--no-verify", "-m", "Words")
        before = git(staged, "log", "-1", "--format=%B")
        silently("checkout", "--quiet", "-b", "other", "HEAD~1")
        write(staged, {"a": b""})
        git(staged, "add", "a")
        silently("commit", "--quiet", "-m", "Change")
        assert run("cherry-pick", "main").status == 0
        assert git(staged, "log", "-1", "--format=%B") == before

    def test_nothing_of_a_model_changed(self, root: Path) -> None:
        write(root, {"README.md": b"More.\n"})
        git(root, "add", "README.md")
        assert self.edited()[:2] == [
            "",
            "# Please enter the commit message for your changes. Lines starting",
        ]

    def test_new_and_removed_models(self, root: Path) -> None:
        git(root, "config", "kvcs.summary", "text")
        git(root, "mv", "models/m", "models/renamed")
        run("commit", "--no-verify", "-m", "Rename")
        assert git(root, "log", "-1", "--format=%B").splitlines()[2:] == [
            "models/renamed: NEW: 2 layers, 15 parameters",
            "models/m: REMOVED",
        ]

    def test_the_first_commit(self, tmp_path: Path, root: Path) -> None:
        git(tmp_path, "init", "--quiet", "unborn")
        os.chdir(tmp_path / "unborn")
        kvcs("init")
        store(Path("m"))
        git(Path(), "add", "m")
        assert "# m: NEW: 2 layers, 15 parameters" in self.edited()

    def test_without_a_file(self, root: Path) -> None:
        assert kvcs("hook", "prepare-commit-msg").code == 0
        done = kvcs("hook", "prepare-commit-msg", "nowhere")
        assert (done.code, done.err) == (0, "")  # nothing is staged


class TestPostCheckout:
    @pytest.fixture
    def two(self, root: Path) -> Path:
        """Two versions, `main~1` and `main`, of which the first is checked out."""
        store(root / "models/m", bias=1.0)
        silently("commit", "--quiet", "--all", "-m", "Second")
        silently("checkout", "--quiet", "--detach", "HEAD~1")
        return root

    def test_a_whole_model(self, two: Path) -> None:
        assert run("checkout", "main") == (0, "")

    def test_line_ends_of_windows(self, two: Path) -> None:
        git(two, "config", "core.autocrlf", "true")
        (two / ".gitattributes").unlink()
        git(two, "rm", "--quiet", "--cached", ".gitattributes")
        found = run("checkout", "--force", "main~1")
        assert found == (0, "")  # nothing of the model changed
        write(two, {".git/info/attributes": b"* text=auto !eol\n*.npy -text\n"})
        found = run("checkout", "--force", "main")
        assert found.status == 0
        assert "models/m is not whole: model.json: not in canonical form" in found.said
        assert "`kvcs doctor` looks for a cause" in found.said

    def test_a_sparse_checkout(self, two: Path) -> None:
        git(two, "sparse-checkout", "set", "--no-cone", "/*", "!/models/m/layers/dense/bias.npy")
        assert run("checkout", "main") == (
            0,
            (
                "models/m is not complete: 1 of 9 files are outside of the sparse checkout; "
                "`git sparse-checkout add models/m`"
            ),
        )
        git(two, "sparse-checkout", "set", "--no-cone", "/*", "!/models/")
        assert run("checkout", "main~1") == (0, "")  # all of it is wanted away

    def test_pointers_of_lfs(self, two: Path) -> None:
        silently("checkout", "--quiet", "main")
        path = two / "models/m/layers/dense/bias.npy"

        path.write_bytes(pointer(hashlib.sha256(path.read_bytes()).hexdigest(), 140))
        silently("commit", "--quiet", "-a", "-m", "Pointers")
        silently("checkout", "--quiet", "main~2")
        assert run("checkout", "main") == (
            0,
            (
                "models/m is not complete: 1 tensors are pointers of Git LFS; "
                "`git lfs pull --include 'models/m/**'`"
            ),
        )

    def test_some_files(self, two: Path) -> None:
        found = run("checkout", "main", "--", "models/m/layers/dense/layer.json")
        assert found.status == 0
        assert "models/m is not whole: layers/dense/layer.json" in found.said

    def test_a_new_worktree(self, two: Path) -> None:
        assert run("worktree", "add", "../other", "main") == (0, "")

    def test_the_status_of_an_earlier_hook(self, two: Path) -> None:
        write(two, {".git/hooks/post-checkout.before-kvcs": b"#!/bin/sh\nexit 1\n"})
        (two / ".git/hooks/post-checkout.before-kvcs").chmod(0o755)
        assert run("checkout", "main").status == 1


class TestPostMerge:
    @pytest.fixture
    def two(self, root: Path) -> Path:
        silently("checkout", "--quiet", "-b", "other")
        store(root / "models/m", bias=1.0)
        silently("commit", "--quiet", "--all", "-m", "Second")
        silently("checkout", "--quiet", "main")
        return root

    def test_a_whole_model(self, two: Path) -> None:
        assert run("merge", "other") == (0, "")

    def test_a_sparse_checkout(self, two: Path) -> None:
        git(two, "sparse-checkout", "set", "--no-cone", "/*", "!/models/m/layers/dense/bias.npy")
        found = run("merge", "other")
        assert found.status == 0
        assert "models/m is not complete: 1 of 9 files" in found.said

    def test_a_squashed_one(self, two: Path) -> None:
        git(two, "sparse-checkout", "set", "--no-cone", "/*", "!/models/m/layers/dense/bias.npy")
        assert "models/m is not complete: 1 of 9 files" in run("merge", "--squash", "other").said


class TestPrePush:
    @pytest.fixture
    def remote(self, root: Path, tmp_path: Path) -> Path:
        git(tmp_path, "init", "--quiet", "--bare", "remote.git")
        git(root, "remote", "add", "origin", str(tmp_path / "remote.git"))
        return root

    def test_all_is_there(self, remote: Path) -> None:
        assert run("push", "origin", "main") == (0, "")
        assert run("push", "origin", "main") == (0, "")
        assert run("push", "origin", "main:other") == (0, "")
        assert run("push", "origin", ":other") == (0, "")

    def test_a_missing_object(self, remote: Path) -> None:
        lost = git(remote, "rev-parse", "HEAD:models/m/layers/dense/bias.npy")
        (remote / ".git/objects" / lost[:2] / lost[2:]).unlink()
        found = run("push", "origin", "main")
        assert found.status == 1
        assert f"1 objects of git are missing here, such as {lost}" in found.said
        assert "`git push --no-verify` pushes it all the same" in found.said

    def test_what_a_partial_clone_was_promised(self, remote: Path, tmp_path: Path) -> None:
        silently("push", "--quiet", "origin", "main")
        git(tmp_path / "remote.git", "config", "uploadpack.allowFilter", "true")
        options = ("--quiet", "--filter=blob:none", "--branch=main", "--no-checkout")
        git(tmp_path, "clone", *options, (tmp_path / "remote.git").as_uri(), "clone")
        os.chdir(tmp_path / "clone")
        kvcs("init")
        silently("commit", "--quiet", "--allow-empty", "-m", "More")
        assert run("push", "origin", "HEAD:other") == (0, "")

    def test_pointers_whose_objects_nothing_uploads(self, remote: Path) -> None:
        path = remote / "models/m/layers/dense/bias.npy"

        path.write_bytes(pointer(hashlib.sha256(path.read_bytes()).hexdigest(), 140))
        silently("commit", "--quiet", "-a", "-m", "Pointers")
        found = run("push", "origin", "main")
        assert found.status == 1
        assert "1 tensors are pointers of Git LFS, and no hook uploads their objects" in found.said
        assert "1 of them are not even here" in found.said

    def test_earlier_hooks_are_told_the_same(self, remote: Path) -> None:
        write(remote, {".git/hooks/pre-push.before-kvcs": b"#!/bin/sh\ncat > told\n"})
        (remote / ".git/hooks/pre-push.before-kvcs").chmod(0o755)
        head = git(remote, "rev-parse", "HEAD")
        run("push", "origin", "main")
        assert (
            remote / "told"
        ).read_text() == f"refs/heads/main {head} refs/heads/main {'0' * 40}\n"


class TestThePreCommitFramework:
    """It calls hooks with variables in the place of arguments and stdin."""

    def test_pre_push(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        head = git(root, "rev-parse", "HEAD")
        lost = git(root, "rev-parse", "HEAD:README.md")
        (root / ".git/objects" / lost[:2] / lost[2:]).unlink()
        monkeypatch.setenv("PRE_COMMIT_TO_REF", head)
        monkeypatch.setenv("PRE_COMMIT_FROM_REF", "0" * 40)
        monkeypatch.setenv("PRE_COMMIT_REMOTE_NAME", "origin")
        assert kvcs("hook", "pre-push").code == 1

    def test_post_checkout(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PRE_COMMIT_FROM_REF", "0" * 40)
        monkeypatch.setenv("PRE_COMMIT_TO_REF", "HEAD")
        monkeypatch.setenv("PRE_COMMIT_CHECKOUT_TYPE", "1")
        (root / "models/m/layers/dense/bias.npy").unlink()
        assert "bias.npy (layer layers/dense): missing" in kvcs("hook", "post-checkout").err

    def test_prepare_commit_msg(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store(root / "models/m", two_layers())
        git(root, "add", "models")
        git(root, "config", "kvcs.summary", "text")
        write(root, {"message": b"Merge\n"})
        monkeypatch.setenv("PRE_COMMIT_COMMIT_MSG_SOURCE", "merge")
        assert kvcs("hook", "prepare-commit-msg", "message").code == 0
        assert (root / "message").read_bytes() == b"Merge\n"


class TestTheCommand:
    def test_an_unknown_hook(self, root: Path) -> None:
        done = kvcs("hook", "pre-cook")
        assert done.code == 2
        assert "there is no hook 'pre-cook'" in done.err

    def test_no_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert kvcs("hook", "pre-commit").code == 2
        assert kvcs("hook", "post-merge", "0").code == 0

    def test_a_mistake_in_kvcs(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It stops a commit, which nobody has looked at, and no checkout."""
        monkeypatch.setattr("kvcs.repo.Repository.discover", lambda: 1 / 0)
        done = kvcs("hook", "pre-commit")
        assert done.code == 2
        assert "ZeroDivisionError" in done.err
        assert done.err.endswith("mistake in kvcs; `git commit --no-verify` goes on\n")
        done = kvcs("hook", "post-checkout", "a", "b", "1")
        assert done.code == 0
        assert len(done.err.splitlines()) == 1

    def test_what_it_imports(self, root: Path) -> None:
        """Where no model is touched, not even NumPy, and never Keras."""
        script = (
            "import sys; from kvcs.commands.hooks.hook import hook\n"
            "found = hook('pre-commit', (), str)\n"
            "assert not found.lines, found\n"
            "heavy = {'numpy', 'keras', 'tensorflow', 'deepdiff'} & set(sys.modules)\n"
            "assert not heavy, heavy"
        )
        write(root, {"README.md": b"More.\n"})
        git(root, "add", "README.md")
        done = process("-c", script, command=(sys.executable,))
        assert (done.code, done.err) == (0, "")
