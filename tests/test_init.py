"""`kvcs init`: what it writes, what it leaves alone, and that an undo gives everything back."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from cli import kvcs, nested, refused, store
from gitrepo import commit_all, git, hook, write

from kvcs.data.hook_scripts import HOOKS, script
from kvcs.repo.setup.drivers import DRIVERS

BLOCK = b"""\
# kvcs: begin
model.json text eol=lf diff=kvcs
layer.json text eol=lf
training.json text eol=lf
state.json text eol=lf
**/optimizer/index.json text eol=lf
**/layers/*/**/*.npy -text -delta diff=kvcs-npy
**/optimizer/**/*.npy -text -delta diff=kvcs-npy
**/layers/*/**/assets/** -text
# kvcs: end
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository, in a directory with a space; the tests run inside of it."""
    git(tmp_path, "init", "--quiet", "a project")
    monkeypatch.chdir(tmp_path / "a project")
    return tmp_path / "a project"


def everything(root: Path, home: Path) -> dict[str, object]:
    """Return all that a set-up could change: content, permissions and links."""
    found: dict[str, object] = {}
    for top in (root, home):
        for path in sorted(top.rglob("*")):
            if path.is_symlink():
                found[str(path)] = path.readlink()
            elif path.is_file() and "objects" not in path.parts:
                found[str(path)] = path.read_bytes(), path.stat().st_mode
    return found


def actions(done: list[dict[str, str]], *wanted: str) -> list[str]:
    return [step["what"] for step in done if step["action"] in wanted]


def init(*arguments: str) -> list[dict[str, str]]:
    done = kvcs("init", "--json", *arguments)
    assert (done.code, done.err) == (0, "")
    found: list[dict[str, str]] = json.loads(done.out)
    return found


def test_what_it_says(root: Path) -> None:
    assert kvcs("init").lines == [
        "added    .gitattributes: 8 lines for the files of models",
        "added    diff.kvcs.command: in your settings of git",
        "added    diff.kvcs-npy.textconv: in your settings of git",
        "added    difftool.kvcs.cmd: in your settings of git",
        "added    hook pre-commit",
        "added    hook prepare-commit-msg",
        "added    hook post-checkout",
        "added    hook post-merge",
        "added    hook pre-push",
    ]
    assert (root / ".gitattributes").read_bytes() == BLOCK


def test_twice_is_as_once(root: Path, sealed: Path) -> None:
    init()
    before = everything(root, sealed)
    assert {step["action"] for step in init()} == {"kept"}
    assert everything(root, sealed) == before


def test_a_dry_run_changes_nothing(root: Path, sealed: Path) -> None:
    before = everything(root, sealed)
    planned = init("--dry-run")
    assert everything(root, sealed) == before
    assert init() == planned
    before = everything(root, sealed)
    assert init("--undo", "--dry-run")
    assert everything(root, sealed) == before


def test_an_undo_gives_everything_back(root: Path, sealed: Path) -> None:
    write(root, {".gitattributes": b"*.png binary"})
    hook(root, "pre-commit", "exit 0")
    before = everything(root, sealed)
    init()
    init("--undo")
    assert everything(root, sealed) == before
    assert init("--undo") == []
    assert kvcs("init", "--undo").out == "nothing was set up here\n"


def test_local_drivers(root: Path, sealed: Path) -> None:
    before = everything(root, sealed)
    init("--local")
    assert git(root, "config", "--local", "diff.kvcs.command") == DRIVERS["diff.kvcs.command"]
    assert (sealed / ".gitconfig").read_bytes() == before[str(sealed / ".gitconfig")][0]  # type: ignore[index]
    init("--undo")
    assert everything(root, sealed) == before


def test_from_a_directory_below(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "models").mkdir()
    monkeypatch.chdir(root / "models")
    init()
    assert (root / ".gitattributes").read_bytes() == BLOCK
    assert not (root / "models" / ".gitattributes").exists()


class TestAttributes:
    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b"*.png binary\n", id="a line"),
            pytest.param(b"*.png binary", id="no final newline"),
            pytest.param(b"*.png binary\r\n*.sh text\r\n", id="CRLF"),
            pytest.param(b"*.png binary\r\n*.sh text", id="CRLF, no final newline"),
            pytest.param("# für\n*.png binary\n".encode("latin-1"), id="not UTF-8"),
            pytest.param(b"\n\n", id="blank"),
        ],
    )
    def test_comes_back_to_the_byte(self, root: Path, content: bytes) -> None:
        path = root / ".gitattributes"
        path.write_bytes(content)
        path.chmod(0o640)
        init()
        assert path.read_bytes().startswith(content)
        assert path.stat().st_mode & 0o777 == 0o640
        ends = {line.endswith(b"\r\n") for line in path.read_bytes().splitlines(keepends=True)}
        assert ends == {b"\r\n" in content}
        assert {step["action"] for step in init()} == {"kept"}
        init("--undo")
        assert path.read_bytes() == content

    def test_lines_of_the_user_stay(self, root: Path) -> None:
        """Above, in and below the block."""
        path = root / ".gitattributes"
        path.write_bytes(b"*.png binary")
        init()
        inside = path.read_bytes().replace(b"# kvcs: end", b"*.gif binary\n# kvcs: end")
        path.write_bytes(inside + b"*.jpg binary\n")
        assert "kept" in {step["action"] for step in init() if step["what"] == ".gitattributes"}
        init("--undo")
        assert path.read_bytes() == b"*.png binary\n*.gif binary\n*.jpg binary\n"

    def test_a_block_that_lost_its_end(self, root: Path) -> None:
        write(root, {".gitattributes": BLOCK.replace(b"# kvcs: end\n", b"")})
        assert "are not a pair any more" in refused("init")
        assert "are not a pair any more" in refused("init", "--undo")

    def test_a_link(self, root: Path) -> None:
        write(root, {"elsewhere": b""})
        (root / ".gitattributes").symlink_to("elsewhere")
        assert "is a symbolic link, which git does not follow" in refused("init")

    def test_a_directory(self, root: Path) -> None:
        (root / ".gitattributes").mkdir()
        assert "cannot be read: Is a directory" in refused("init")

    def test_what_the_user_has_set_is_left(self, root: Path) -> None:
        write(root, {".gitattributes": b"*.npy filter=lfs diff=lfs merge=lfs -text\n"})
        left = [step["why"] for step in init() if step["action"] == "left"]
        assert left == [
            "**/layers/*/**/*.npy has diff=lfs already, so not diff=kvcs-npy",
            "**/optimizer/**/*.npy has diff=lfs already, so not diff=kvcs-npy",
        ]
        found = attributes("models/m/layers/dense/kernel.npy")
        assert found == {
            "diff": "lfs", "filter": "lfs", "merge": "lfs", "text": "unset", "delta": "unset",
        }  # fmt: skip

    def test_what_the_user_has_set_for_all_repositories_is_left(
        self, root: Path, sealed: Path
    ) -> None:
        write(sealed, {".config/git/attributes": b"model.json diff=json\n"})
        init()
        assert attributes("models/m/model.json") == {"diff": "json", "text": "set", "eol": "lf"}

    def test_what_the_user_has_set_for_one_model_is_left(self, root: Path) -> None:
        store(root / "models/m")
        git(root, "add", "models")
        write(root, {".gitattributes": b"models/m/** diff=mine\n"})
        init()
        assert attributes("models/m/layers/dense/kernel.npy")["diff"] == "mine"
        assert attributes("models/m/model.json")["diff"] == "mine"

    def test_what_git_may_guess_is_no_word_of_the_user(self, root: Path) -> None:
        write(root, {".gitattributes": b"* text=auto\n"})
        assert not actions(init(), "left")
        assert attributes("models/m/layers/dense/kernel.npy")["text"] == "unset"

    def test_only_the_files_of_models(self, root: Path) -> None:
        init()
        tensor = {"text": "unset", "delta": "unset", "diff": "kvcs-npy"}
        for path in (
            "layers/dense/kernel.npy",
            "models/m/layers/dense/kernel.npy",
            "models/m/layers/encoder/layers/dense/block/own/0.npy",
            "models/m/optimizer/iterations.npy",
            "models/m/optimizer/momentums/layers/dense/kernel.npy",
            "models/m/state/layers/lstm/states/0.npy",
        ):
            assert attributes(path) == tensor, path
        for path in ("data/images.npy", "images.npy", "layers/images.npy", "a/config.json"):
            assert attributes(path) == {}, path
        assert attributes("m/layers/words/assets/lookup/words.txt") == {"text": "unset"}
        assert attributes("m/layers/words/assets/vocabulary.json") == {"text": "unset"}
        for name in ("model.json", "layers/d/layer.json", "training.json", "optimizer/index.json"):
            assert attributes(f"m/{name}") | {"diff": ""} == {
                "text": "set",
                "eol": "lf",
                "diff": "",
            }

    def test_a_model_with_tensors_at_its_top(self, root: Path) -> None:
        """No common pattern tells them from other arrays."""
        golden = Path(__file__).parent / "golden" / "model" / "layers" / "encoder"
        place = root / "models" / "a [b]\\c"
        shutil.copytree(golden, place)
        git(root, "add", "--all")
        init()
        assert attributes("models/a [b]\\c/offset.npy")["diff"] == "kvcs-npy"
        assert attributes("models/a [b]\\c/assets/words.txt") == {"text": "unset"}
        assert attributes("models/ab/offset.npy") == {}
        init("--undo")
        assert not (root / ".gitattributes").exists()

    def test_models_come_out_of_git_as_they_went_in(
        self, root: Path, sealed: Path, tmp_path: Path
    ) -> None:
        """Also for somebody whose git writes the line ends of Windows."""
        store(root / "models/m", nested())
        init()
        commit_all(root)
        options = ("-c", "core.autocrlf=true", "-c", "core.eol=crlf")
        git(tmp_path, *options, "clone", "--quiet", str(root), "clone")
        assert kvcs("verify", str(tmp_path / "clone" / "models/m")).code == 0


def attributes(path: str) -> dict[str, str]:
    found = git(Path(), "check-attr", "-z", "-a", path).split("\0")[:-1]
    names = ("text", "eol", "delta", "diff", "filter", "merge")
    return {
        name: value for name, value in zip(found[1::3], found[2::3], strict=True) if name in names
    }


class TestDrivers:
    def test_a_value_of_the_user_is_left(self, root: Path) -> None:
        git(root, "config", "--global", "diff.kvcs.command", "mine")
        assert actions(init(), "left") == ["diff.kvcs.command"]
        init("--undo")
        assert git(root, "config", "diff.kvcs.command") == "mine"

    def test_a_value_that_was_changed_since_is_left(self, root: Path) -> None:
        init()
        git(root, "config", "--global", "diff.kvcs.command", "mine")
        assert "diff.kvcs.command" in actions(init("--undo"), "left")
        assert git(root, "config", "diff.kvcs.command") == "mine"

    def test_one_of_an_older_kvcs_is_brought_up_to_date(self, root: Path) -> None:
        init()
        git(root, "config", "--global", "diff.kvcs.command", "kvcs driver diff")
        assert actions(init(), "changed") == ["diff.kvcs.command"]
        assert git(root, "config", "diff.kvcs.command") == DRIVERS["diff.kvcs.command"]

    def test_those_that_another_repository_set_up_stay(self, root: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        git(tmp_path, "init", "--quiet", "other")
        init()
        os.chdir(other)
        init()
        init("--undo")
        assert git(root, "config", "diff.kvcs.command") == DRIVERS["diff.kvcs.command"]

    def test_settings_that_cannot_be_written(self, root: Path, sealed: Path) -> None:
        (sealed / ".gitconfig.lock").touch()
        assert "could not lock config file" in kvcs("init").err


class TestHooks:
    def test_they_are_the_scripts(self, root: Path) -> None:
        init()
        for name in HOOKS:
            path = root / ".git" / "hooks" / name
            assert path.read_bytes() == script(name)
            assert os.access(path, os.X_OK)

    def test_one_of_another_tool_runs_first(self, root: Path) -> None:
        hook(root, "pre-commit", 'echo "$0 $*" > ran; exit 3')
        init()
        write(root, {"a": b""})
        git(root, "add", "a")
        git(root, "commit", "-m", "a", status=1)
        assert "hooks/pre-commit.before-kvcs" in (root / "ran").read_text()

    def test_one_that_is_no_shell_script(self, root: Path) -> None:
        path = root / ".git" / "hooks" / "pre-commit"
        path.write_text("#!/usr/bin/env python3\nraise SystemExit('no commits on Fridays')\n")
        path.chmod(0o755)
        init()
        write(root, {"a": b""})
        git(root, "add", "a")
        git(root, "commit", "-m", "a", status=1)

    def test_one_that_is_not_executable_does_not_run(self, root: Path, sealed: Path) -> None:
        hook(root, "pre-commit", "exit 3")
        (root / ".git" / "hooks" / "pre-commit").chmod(0o644)
        before = everything(root, sealed)
        assert "is not executable" in kvcs("init").out
        write(root, {"a": b""})
        git(root, "add", "a")
        git(root, "-c", "core.editor=true", "commit", "-m", "a")
        init("--undo")
        found = everything(root, sealed)
        assert {path: found[path] for path in before if "hooks" in path} == {
            path: before[path] for path in before if "hooks" in path
        }

    def test_a_link(self, root: Path, sealed: Path) -> None:
        write(root, {"tools/hook": b"#!/bin/sh\nexit 3\n"})
        (root / "tools/hook").chmod(0o755)
        (root / ".git/hooks/pre-commit").symlink_to("../../tools/hook")
        before = everything(root, sealed)
        init()
        git(root, "add", "tools")
        git(root, "commit", "-m", "a", status=1)
        init("--undo")
        git(root, "reset", "--quiet")
        found = everything(root, sealed)
        assert {path: found[path] for path in before} == before

    def test_one_that_asks_for_its_own_name_is_left(self, root: Path) -> None:
        hook(root, "pre-commit", 'exec run-all "$(basename "$0")"')
        before = (root / ".git/hooks/pre-commit").read_bytes()
        done = init()
        assert actions(done, "to do") == ["hook pre-commit"]
        assert 'kvcs hook pre-commit "$@"' in next(s["why"] for s in done if s["action"] == "to do")
        assert (root / ".git/hooks/pre-commit").read_bytes() == before

    def test_one_that_took_kvcs_place_again(self, root: Path) -> None:
        """The other tool brought itself up to date."""
        hook(root, "pre-commit", "exit 0")
        init()
        hook(root, "pre-commit", "exit 0")
        assert actions(init(), "added") == ["hook pre-commit"]
        assert (root / ".git/hooks/pre-commit").read_bytes() == script("pre-commit")
        hook(root, "pre-commit", "exit 1")  # another one: which of the two counts, none can tell
        assert actions(init(), "to do") == ["hook pre-commit"]

    def test_one_of_an_older_kvcs_is_brought_up_to_date(self, root: Path) -> None:
        hook(root, "pre-commit", "# kvcs hook: of old")
        assert actions(init(), "changed") == ["hook pre-commit"]
        assert not (root / ".git/hooks/pre-commit.before-kvcs").exists()

    def test_one_that_pre_commit_has_moved_aside(self, root: Path) -> None:
        """pre-commit runs it first, and an undo takes it out of there."""
        hook(root, "post-merge", "exit 0")
        init()
        hooks = root / ".git" / "hooks"
        (hooks / "post-merge").rename(hooks / "post-merge.legacy")
        hook(root, "post-merge", "# File generated by pre-commit: https://pre-commit.com")
        init("--undo")
        assert (hooks / "post-merge.legacy").read_bytes() == b"#!/bin/sh\nexit 0\n"

    def test_without_a_directory_for_them(self, root: Path) -> None:
        for path in (root / ".git/hooks").iterdir():
            path.unlink()
        (root / ".git/hooks").rmdir()
        init()
        assert (root / ".git/hooks/pre-push").exists()

    def test_pre_commit_framework(self, root: Path) -> None:
        write(root, {".pre-commit-config.yaml": b"repos: []\n"})
        hook(root, "pre-push", "# File generated by pre-commit: https://pre-commit.com")
        done = init()
        assert actions(done, "to do") == [".pre-commit-config.yaml"]
        why = done[4]["why"]
        assert "entry: kvcs hook pre-commit" in why
        assert "entry: kvcs hook pre-push" in why
        assert "entry: kvcs hook post-merge" not in why
        assert not (root / ".git/hooks/pre-commit").exists()
        assert (root / ".git/hooks/post-merge").exists()
        write(root, {".pre-commit-config.yaml": why.encode()})
        assert not actions(init(), "to do")

    @pytest.mark.parametrize("scope", ["--local", "--global"])
    def test_core_hooks_path(self, root: Path, tmp_path: Path, scope: str) -> None:
        (tmp_path / "hooks").mkdir()
        git(root, "config", scope, "core.hooksPath", str(tmp_path / "hooks"))
        done = init()
        assert actions(done, "to do") == [f"hooks in {tmp_path / 'hooks'}"]
        assert "core.hooksPath names it" in done[-1]["why"]
        assert list((tmp_path / "hooks").iterdir()) == []
        init("--undo")
        assert git(root, "config", "core.hooksPath") == str(tmp_path / "hooks")

    @pytest.mark.parametrize("path", [".husky/_", ".husky"])
    def test_husky(self, root: Path, path: str) -> None:
        (root / path).mkdir(parents=True)
        git(root, "config", "core.hooksPath", path)
        done = init()
        assert actions(done, "to do") == ["hooks in .husky"]
        assert done[-1]["why"].startswith("husky runs them; add to\npre-commit: if command -v kvcs")
        assert list((root / path).iterdir()) == []

    def test_a_hooks_path_inside_of_the_repository_itself(self, root: Path) -> None:
        git(root, "config", "core.hooksPath", ".git/more-hooks")
        init()
        assert (root / ".git/more-hooks/pre-commit").exists()

    def test_a_linked_worktree(self, root: Path, tmp_path: Path) -> None:
        write(root, {"a": b""})
        commit_all(root)
        git(root, "worktree", "add", "--quiet", "-b", "other", "../other tree")
        os.chdir(tmp_path / "other tree")
        init()
        assert (root / ".git/hooks/pre-commit").exists()
        assert (tmp_path / "other tree/.gitattributes").exists()

    def test_a_submodule(self, root: Path, tmp_path: Path) -> None:
        write(root, {"a": b""})
        commit_all(root)
        local = ("-c", "protocol.file.allow=always")
        git(tmp_path, "init", "--quiet", "outer")
        git(tmp_path / "outer", *local, "submodule", "--quiet", "add", str(root), "inner")
        os.chdir(tmp_path / "outer" / "inner")
        init()
        assert (tmp_path / "outer/.git/modules/inner/hooks/pre-commit").exists()
        assert not (tmp_path / "outer/.git/hooks/pre-commit").exists()


class TestLfs:
    @pytest.fixture(autouse=True)
    def there(self, root: Path) -> None:
        """Skip where git-lfs is not installed."""
        if shutil.which("git-lfs") is None:
            pytest.skip("git-lfs is not installed")

    def test_tensors_are_objects_of_lfs(self, root: Path) -> None:
        init("--lfs")
        store(root / "models/m")
        commit_all(root)
        tracked = git(root, "lfs", "ls-files", "--name-only").splitlines()
        assert tracked == [
            "models/m/layers/dense/bias.npy",
            "models/m/layers/dense/kernel.npy",
            "models/m/optimizer/iterations.npy",
        ]
        assert kvcs("verify", "models/m").code == 0

    def test_undone_in_one_repository_it_stays_in_another(self, root: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        git(tmp_path, "init", "--quiet", "other")
        for place in (other, root):
            os.chdir(place)
            init("--lfs")
        init("--undo")
        assert git(other, "config", "filter.lfs.process") == "git-lfs filter-process"

    def test_git_lfs_has_its_part_in_the_hooks(self, root: Path, sealed: Path) -> None:
        before = everything(root, sealed)
        init("--lfs")
        hooks = root / ".git" / "hooks"
        for name in ("pre-push.lfs", "post-checkout.lfs", "post-merge.lfs", "post-commit"):
            assert b"git lfs " in (hooks / name).read_bytes()
        assert {step["action"] for step in init()} == {"kept"}  # and so it stays without --lfs
        init("--undo")
        assert everything(root, sealed) == before

    def test_after_git_lfs_install(self, root: Path, sealed: Path) -> None:
        git(root, "lfs", "install", "--local")
        before = everything(root, sealed)
        init("--lfs")
        assert not list((root / ".git/hooks").glob("*.lfs"))
        assert b"git lfs pre-push" in (root / ".git/hooks/pre-push.before-kvcs").read_bytes()
        init("--undo")
        assert everything(root, sealed) == before

    def test_a_push_sends_the_objects(self, root: Path, tmp_path: Path) -> None:
        init("--lfs")
        store(root / "models/m")
        commit_all(root)
        git(tmp_path, "init", "--quiet", "--bare", "remote.git")
        git(root, "remote", "add", "origin", (tmp_path / "remote.git").as_uri())
        git(root, "push", "--quiet", "origin", "HEAD:main")
        assert len(list((tmp_path / "remote.git/lfs/objects").rglob("?" * 64))) == 3
        git(tmp_path, "clone", "--quiet", (tmp_path / "remote.git").as_uri(), "clone")
        assert kvcs("verify", str(tmp_path / "clone/models/m")).code == 0

    def test_no_longer(self, root: Path) -> None:
        init("--lfs")
        init("--no-lfs")
        assert (root / ".gitattributes").read_bytes() == BLOCK

    def test_models_that_git_tracks_already(self, root: Path) -> None:
        store(root / "models/m")
        commit_all(root)
        assert actions(init("--lfs"), "to do") == ["git add --renormalize ."]
        git(root, "add", "--renormalize", ".")
        assert b"git-lfs" in git(root, "show", ":models/m/layers/dense/kernel.npy").encode()


class TestRefusals:
    def test_no_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert "There is no git repository in" in refused("init")
        assert "There is no git repository in" in refused("init", "--undo")
        assert "There is no git repository in" in refused("doctor")

    def test_a_bare_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(tmp_path, "init", "--quiet", "--bare", "bare.git")
        monkeypatch.chdir(tmp_path / "bare.git")
        for options in ((), ("--undo",)):
            done = kvcs("init", *options)
            assert (done.code, done.out) == (2, "")
            assert "a bare repository has no working tree" in done.err

    def test_options_that_exclude_each_other(self, root: Path) -> None:
        assert "--undo takes everything back" in refused("init", "--undo", "--lfs")

    def test_without_git_lfs(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(root, "config", "alias.lfs", "!exit 1")
        monkeypatch.setenv("PATH", _only_git(root))
        assert "Git LFS is not installed" in refused("init", "--lfs")

    def test_a_file_where_hooks_should_be(self, root: Path) -> None:
        for path in (root / ".git/hooks").iterdir():
            path.unlink()
        (root / ".git/hooks").rmdir()
        (root / ".git/hooks").touch()
        done = kvcs("init")
        assert done.code == 2
        assert "cannot be written" in done.err

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_repository(self, root: Path) -> None:
        root.chmod(0o555)
        try:
            assert ".gitattributes cannot be written: Permission denied" in refused("init")
        finally:
            root.chmod(0o755)


def _only_git(root: Path) -> str:
    """Make a directory with git and nothing beside it."""
    import shutil

    found = shutil.which("git")
    assert found is not None
    directory = root / ".git" / "only-git"
    directory.mkdir()
    (directory / "git").symlink_to(found)
    return str(directory)
