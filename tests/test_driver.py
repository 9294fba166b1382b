"""What git shows of models through `kvcs driver`: by real git, and whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli import Done, kvcs, nested, process, small, store
from gitrepo import begin, commit_all, git

from kvcs.repo.setup.drivers import DRIVERS

VERDICT = "FINE-TUNE: architecture identical; weights of 1 layer"
MANIFESTS = ("--", "*model.json")

# What can go wrong in the driver, and before it: put into a module that every Python imports.
FAULTS = {
    "an error": "raise RuntimeError('broken')",
    "no memory": "raise MemoryError()",
    "too deep": "raise RecursionError('too deep')",
    "an interrupt": "raise KeyboardInterrupt()",
    "an exit": "raise SystemExit(3)",
}
BROKEN = {
    "no kvcs": "import sys; sys.modules['kvcs'] = None",
    "no click": "import sys; sys.modules['click'] = None",
    "no GitPython": "import sys; sys.modules['git'] = None",
    "killed": "import os, kvcs.render.git as r; r.compared = lambda *a, **k: os.abort()",
}


@pytest.fixture
def root(tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that is set up, with a model that was committed and then changed."""
    root = tmp_path / "project"
    begin(templates / "driver", (root,), lambda: make(root))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
    monkeypatch.chdir(root)
    return root


def make(root: Path) -> None:
    store(root / "models/a")
    git(root, "init", "--quiet")
    set_up(root, root / ".git/info/attributes")
    commit_all(root, "First")
    store(root / "models/a", bias=1.0)


ATTRIBUTES = ("model.json diff=kvcs", "*.npy diff=kvcs-npy")


def set_up(repository: Path, attributes: Path) -> None:
    for key, value in DRIVERS.items():
        git(repository, "config", key, value)
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("".join(f"{line}\n" for line in ATTRIBUTES))


def lines(directory: Path, *arguments: str) -> list[str]:
    """Run git and return what it prints; it must end well and complain about nothing."""
    done = subprocess.run(["git", *arguments], cwd=directory, capture_output=True)
    assert done.returncode == 0
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def short(root: Path, revision: str, path: str = "models/a/model.json") -> str:
    return git(root, "rev-parse", f"{revision}:{path}")[:7]


def call(root: Path, old: str, new: str, path: str = "models/a/model.json") -> Done:
    """Call the driver as git calls it, with two revisions of a file."""
    arguments = []
    for number, revision in enumerate((old, new)):
        file = root.parent / f"{number}.json"
        file.write_text(git(root, "show", f"{revision}:{path}") + "\n")
        arguments += [str(file), git(root, "rev-parse", f"{revision}:{path}"), "100644"]
    return process("driver", "model", "--", path, *arguments)


class TestWhatIsCompared:
    def test_the_working_tree(self, root: Path) -> None:
        assert lines(root, "diff", *MANIFESTS) == [
            "diff --kvcs a/models/a b/models/a",
            f"models/a {short(root, 'HEAD')} → working tree    {VERDICT}",
            "* weights",
            "  *   dense  bias was zero, now up to 1",
            "             (1 layer with nothing else to say)",
            "Diff: 0 added, 0 removed, 0 moved, 0 config, 0 edges, 1 weights. params 15",
        ]

    def test_the_index(self, root: Path) -> None:
        git(root, "add", "--all")
        store(root / "models/a", bias=2.0)  # which is neither here nor there
        names = f"{short(root, 'HEAD')} → {short(root, '')}"
        assert lines(root, "diff", "--cached", *MANIFESTS)[1] == f"models/a {names}    {VERDICT}"

    def test_two_commits(self, root: Path) -> None:
        commit_all(root, "Second")
        store(root / "models/a", bias=2.0)
        commit_all(root, "Third")
        log = lines(root, "log", "-p", "--ext-diff", "--format=%s", "-2", *MANIFESTS)
        names = [short(root, revision) for revision in ("HEAD~2", "HEAD~1", "HEAD")]
        assert [line for line in log if "FINE" in line or line in ("Third", "Second")] == [
            "Third",
            f"models/a {names[1]} → {names[2]}    {VERDICT}",
            "Second",
            f"models/a {names[0]} → {names[1]}    {VERDICT}",
        ]

    def test_a_stash(self, root: Path) -> None:
        git(root, "stash", "--quiet")
        for bias in (2.0, 3.0):  # an older entry is in a reflog alone
            store(root / "models/a", bias=bias)
            git(root, "stash", "--quiet")
        shown = lines(root, "stash", "show", "-p", "--ext-diff", "stash@{1}")
        assert any(line.endswith(VERDICT) for line in shown)

    def test_what_only_a_merge_holds(self, root: Path) -> None:
        git(root, "checkout", "--quiet", "-b", "other")
        commit_all(root, "Other")
        git(root, "checkout", "--quiet", "main")
        store(root / "models/b")
        commit_all(root, "Second")
        git(root, "merge", "--quiet", "--no-commit", "--no-ff", "other")
        store(root / "models/a", bias=7.0)
        commit_all(root, "Merge")
        git(root, "rm", "-rq", "models/a")
        commit_all(root, "Away")
        assert call(root, "HEAD~2", "HEAD~1").lines[1].endswith(VERDICT)

    def test_what_was_fetched_and_has_no_name(self, root: Path, tmp_path: Path) -> None:
        other = tmp_path / "other"
        git(root, "clone", "--quiet", ".", str(other))
        store(other / "models/a", bias=5.0)
        commit_all(other, "Theirs")
        git(root, "fetch", "--quiet", str(other))
        assert call(root, "HEAD", "FETCH_HEAD").lines[1].endswith(VERDICT)

    def test_a_bare_repository(self, root: Path, tmp_path: Path) -> None:
        commit_all(root, "Second")
        bare = tmp_path / "bare.git"
        git(root, "clone", "--quiet", "--bare", ".", str(bare))
        set_up(bare, bare / "info/attributes")
        assert lines(bare, "show", "--ext-diff", *MANIFESTS)[-5].endswith(VERDICT)

    def test_another_worktree(self, root: Path, tmp_path: Path) -> None:
        linked = tmp_path / "linked"
        git(root, "worktree", "add", "--quiet", str(linked))
        store(linked / "models/a", bias=4.0)
        assert lines(linked, "diff", *MANIFESTS)[1].endswith(VERDICT)

    def test_a_submodule(self, root: Path, tmp_path: Path) -> None:
        git(root, "stash", "--quiet")
        outer = tmp_path / "outer"
        git(tmp_path, "init", "--quiet", str(outer))
        protocol = ("-c", "protocol.file.allow=always")
        git(outer, *protocol, "submodule", "--quiet", "add", str(root), "sub")
        commit_all(outer, "First")
        set_up(outer / "sub", outer / ".git/modules/sub/info/attributes")
        store(outer / "sub/models/a", bias=1.0)
        found = lines(outer, "diff", "--submodule=diff")
        assert any(line.endswith(VERDICT) for line in found)

    @pytest.mark.parametrize("options", [[], ["--relative"]])
    def test_from_below(self, root: Path, options: list[str]) -> None:
        git(root, "add", "--all")
        assert lines(root / "models", "diff", "--cached", *options, *MANIFESTS)[1].endswith(VERDICT)

    def test_without_an_index(self, root: Path) -> None:
        found = subprocess.run(
            ["git", "diff", "--no-index", "models/a/model.json", os.devnull], capture_output=True
        )
        assert "REMOVED: Functional" in found.stdout.decode()

    def test_a_renamed_directory(self, root: Path) -> None:
        commit_all(root, "Second")
        git(root, "mv", "models", "networks")
        commit_all(root, "Third")
        found = lines(root, "show", "-M", "--ext-diff", "--format=", *MANIFESTS)
        name = short(root, "HEAD~1")
        assert found[:2] == [
            "diff --kvcs a/models/a b/networks/a",
            f"models/a {name} → networks/a {name}    SAME: nothing differs",
        ]

    def test_a_model_that_came_and_went(self, root: Path) -> None:
        git(root, "rm", "-rfq", "models/a")
        store(root / "models/b")
        git(root, "add", "--all")
        found = lines(root, "diff", "--cached", "--no-renames", *MANIFESTS)
        assert found == [
            "diff --kvcs a/models/a b/models/a",
            f"- models/a {short(root, 'HEAD')}    REMOVED: Functional, 2 layers, 15 params",
            "diff --kvcs a/models/b b/models/b",
            f"+ models/b {short(root, 'HEAD')}    ADDED: Functional, 2 layers, 15 params",
        ]

    def test_a_model_inside_is_part_of_the_one_around_it(self, root: Path) -> None:
        store(root / "models/c", nested())
        commit_all(root, "Second")
        store(root / "models/c", nested(), bias=1.0)
        found = lines(root, "diff", "--", "models/c/*model.json")
        assert found[0] == "model models/c/layers/encoder: part of the diff of models/c"
        assert found[2].endswith(VERDICT)

    def test_a_model_that_is_the_repository(self, tmp_path: Path, root: Path) -> None:
        top = store(tmp_path / "top", nested())
        git(top, "init", "--quiet")
        set_up(top, top / ".git/info/attributes")
        commit_all(top)
        store(tmp_path / "changed", nested(), bias=1.0)
        git(top, f"--work-tree={tmp_path / 'changed'}", "add", "--all")
        found = lines(top, "diff", "--cached", *MANIFESTS)
        assert found[0] == "model layers/encoder: part of the diff of ."
        assert found[2].endswith(VERDICT)

    @pytest.mark.parametrize("name", ["a b", 'a"b', "é", "a\nb", "-n", "$(touch x)", "[1m"])
    def test_any_name(self, root: Path, name: str) -> None:
        store(root / name)
        commit_all(root, "Second")
        store(root / name, bias=1.0)
        assert lines(root, "diff", *MANIFESTS)[1].endswith(VERDICT)
        assert not (root / "x").exists()

    def test_a_conflict(self, root: Path) -> None:
        git(root, "checkout", "--quiet", "-b", "other")
        commit_all(root, "Other")
        git(root, "checkout", "--quiet", "main")
        store(root / "models/a", bias=2.0)
        commit_all(root, "Second")
        git(root, "merge", "--quiet", "other", status=1)
        assert "* Unmerged path models/a/model.json" in lines(root, "diff", "--cached")


class TestColours:
    def test_none_in_a_pipe(self, root: Path) -> None:
        assert "\x1b" not in "".join(lines(root, "diff", *MANIFESTS))

    def test_as_git_wants(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        always = ("-c", "color.diff=always", "diff", *MANIFESTS)
        assert lines(root, *always)[0] == "\x1b[1mdiff --kvcs a/models/a b/models/a\x1b[0m"
        monkeypatch.setenv("NO_COLOR", "1")
        assert lines(root, *always)[0] == "diff --kvcs a/models/a b/models/a"

    def test_in_a_pager(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GIT_PAGER_IN_USE", "1")
        monkeypatch.setenv("TERM", "xterm")
        assert lines(root, "diff", *MANIFESTS)[0].startswith("\x1b[1m")

    def test_ascii_where_there_is_nothing_else(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTHONIOENCODING", "ascii")
        assert "".join(lines(root, "diff", *MANIFESTS)).isascii()


class TestText:
    """Whatever is wrong, git shows a text diff and ends well."""

    TEXT = ("--- a/models/a/model.json", "+++ b/models/a/model.json")

    def test_of_somebody_elses_file(self, root: Path) -> None:
        file = root / "my dir" / "model.json"
        file.parent.mkdir()
        file.write_text('{"x": 1}\n')
        git(root, "add", "--all")
        file.write_text('{"x": 2}\n')
        git(root, "config", "diff.mnemonicPrefix", "true")
        assert lines(root, "diff") == [
            "diff --git a/my dir/model.json b/my dir/model.json",
            *lines(root, "diff", "--no-ext-diff")[1:2],
            "--- a/my dir/model.json\t",
            "+++ b/my dir/model.json\t",
            "@@ -1 +1 @@",
            '-{"x": 1}',
            '+{"x": 2}',
        ]

    def test_of_a_manifest_that_is_empty(self, root: Path) -> None:
        (root / "models/a/model.json").write_bytes(b"")
        found = lines(root, "diff", *MANIFESTS)
        assert found[0] == (
            "# kvcs: working tree of models/a/model.json is no manifest of a model, and the other "
            "one is"
        )
        assert tuple(found[3:5]) == self.TEXT

    def test_of_a_manifest_that_is_damaged(self, root: Path) -> None:
        manifest = root / "models/a/model.json"
        manifest.write_bytes(manifest.read_bytes().replace(b"image", b"imagf"))
        found = lines(root, "diff", *MANIFESTS)
        assert found[0].startswith("# kvcs: models/a working tree is damaged: model.json: ")
        assert tuple(found[3:5]) == self.TEXT

    def test_of_a_manifest_without_its_layers(self, root: Path) -> None:
        git(root, "add", "models/a/model.json")
        store(root / "models/a", bias=2.0)
        found = lines(root, "diff", "--cached", *MANIFESTS)
        assert "is damaged: layers/dense/layer.json" in found[0]
        assert tuple(found[3:5]) == self.TEXT

    def test_of_a_manifest_that_no_tree_holds(self, root: Path) -> None:
        git(root, "rm", "-rq", "--cached", "models/a")
        file = root / "models/a/model.json"
        manifest = file.read_bytes()
        file.write_bytes(manifest.replace(b'"functional"', b'"functionals"'))
        lost = git(root, "hash-object", "-w", str(file))
        file.write_bytes(manifest)
        found = lines(root, "diff", "HEAD:models/a/model.json", lost)
        assert found[0] == (
            f"# kvcs: {lost[:7]} of {lost} stands in no branch, tag, stash or working tree, so "
            "there are no layers to compare"
        )
        assert found[3:5] == ["--- a/models/a/model.json", f"+++ b/{lost}"]

    def test_weights_that_are_not_there_are_not_compared(self, root: Path) -> None:
        (root / "models/a/layers/dense/bias.npy").write_bytes(b"version https://git-lfs")
        found = lines(root, "diff", *MANIFESTS)
        assert found[1].endswith(VERDICT)
        assert found[-1].startswith("# kvcs: models/a working tree is")

    @pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
    def test_of_a_fault(
        self, root: Path, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken(tmp_path, f"import kvcs.comparison as c\ndef f(*a, **k): {fault}\nc.weighed_diff=f")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        found = lines(root, "diff", *MANIFESTS)
        if fault != "raise MemoryError()":  # then there may be enough for the rest
            assert found[0].startswith("# kvcs: kvcs failed: ")
            assert tuple(found[3:5]) == self.TEXT

    @pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN)
    def test_of_what_does_not_even_start(
        self, root: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken(tmp_path, how)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        done = subprocess.run(["git", "diff", *MANIFESTS], cwd=root, capture_output=True)
        assert done.returncode == 0
        assert done.stdout.splitlines()[3] == b"+++ b/models/a/model.json"

    def test_without_kvcs(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", os.defpath)
        found = lines(root, "diff")
        assert "+++ b/models/a/model.json" in found
        assert any(line.startswith("+npy, git object ") for line in found)

    def test_nobody_reads(self, root: Path) -> None:
        done = subprocess.run(
            "git diff -- '*model.json' | true; echo ${PIPESTATUS[0]}",
            shell=True,
            executable="/bin/bash",
            cwd=root,
            capture_output=True,
        )
        assert (done.stdout, done.stderr) in ((b"0\n", b""), (b"141\n", b""))


def broken(directory: Path, how: str) -> None:
    """Make every Python that finds the directory on its path break in some way."""
    (directory / "sitecustomize.py").write_text(f"{how}\n")


class TestTool:
    def test_shows_a_model(self, root: Path) -> None:
        found = lines(root, "difftool", "-y", "-t", "kvcs", *MANIFESTS)
        assert found[1].endswith(VERDICT)

    def test_shows_all_models_of_two_directories(self, root: Path) -> None:
        store(root / "models/b", small(name="head"))
        git(root, "add", "--all")
        found = lines(root, "difftool", "-d", "-y", "-t", "kvcs", "--cached")
        assert [line for line in found if line.startswith("diff")] == [
            "diff --kvcs a/models/a b/models/a",
            "diff --kvcs a/models/b b/models/b",
        ]


def test_no_command_for_persons() -> None:
    assert "driver" not in kvcs("--help").out
    assert kvcs("driver", "model", "--", "a", "b").code == 2


def test_the_documented_settings(tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent / "docs/git_diff.md").read_text(encoding="utf-8")
    file = tmp_path / "config"
    file.write_text(text.partition("```gitconfig\n")[2].partition("```")[0])
    listed = git(tmp_path, "config", "--file", str(file), "--list", "--null").split("\0")
    assert dict(line.split("\n", 1) for line in listed if line) == DRIVERS
