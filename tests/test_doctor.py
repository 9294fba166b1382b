"""`kvcs doctor`: what is set up, what is missing, and the command that mends it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from cli import kvcs, nested, store
from gitrepo import begin, commit_all, git, hook, write


@pytest.fixture
def root(tmp_path: Path, sealed: Path, templates: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a committed model, all set up; the tests run inside of it."""
    root = tmp_path / "a project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    begin(templates / "doctor", (tmp_path, sealed), lambda: make(root))
    return root


def make(root: Path) -> None:
    git(root, "init", "--quiet")
    (root.parent / "bin").mkdir()
    (root.parent / "bin/kvcs").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kvcs "$@"\n')
    (root.parent / "bin/kvcs").chmod(0o755)
    store(root / "models/m")
    store(root / "models/n", nested())
    commit_all(root)
    kvcs("init")
    git(root, "add", ".gitattributes")
    git(root, "-c", "core.hooksPath=/", "commit", "--quiet", "-m", "Attributes of models")


def found(*states: str) -> list[str]:
    """Return what the doctor says, of some states only."""
    done = kvcs("doctor", "--json")
    checks = json.loads(done.out)
    assert done.err == ""
    assert done.code == (1 if any(check["state"] == "missing" for check in checks) else 0)
    return [
        f"{check['what']}: {check['says']}{' | ' if check['mend'] else ''}{check['mend']}"
        for check in checks
        if check["state"] in states
    ]


def missing() -> list[str]:
    return found("missing")


def test_all_is_well(root: Path, tmp_path: Path) -> None:
    done = kvcs("doctor")
    assert done.code == 0
    assert done.lines[1:] == [
        "ok       identity: git knows who commits",
        f"ok       kvcs on PATH: {tmp_path / 'bin/kvcs'}",
        "ok       .gitattributes: has the lines of kvcs",
        "ok       diff.kvcs.command: calls kvcs",
        "ok       diff.kvcs-npy.textconv: calls kvcs",
        "ok       difftool.kvcs.cmd: calls kvcs",
        "ok       hook pre-commit: calls kvcs",
        "ok       hook prepare-commit-msg: calls kvcs",
        "ok       hook post-checkout: calls kvcs",
        "ok       hook post-merge: calls kvcs",
        "ok       hook pre-push: calls kvcs",
        "note     Git LFS: does not keep the tensors here; `kvcs init --lfs` gives them to it",
        "ok       models: 2 models, no file is missing; `kvcs verify` reads the tensors too",
        "ok       attributes: git changes no byte of 18 files of models",
        "ok       ignored files: no rule leaves out files of models",
    ]


def test_from_a_directory_below(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "models")
    assert missing() == []


def test_attributes_that_nobody_else_gets(root: Path) -> None:
    says = ".gitattributes: is not committed as it is, so clones do not have it"
    mend = " | git add .gitattributes && git commit"
    with (root / ".gitattributes").open("a") as file:
        file.write("*.png binary\n")
    assert f"{says}{mend}" in found("note")
    git(root, "add", ".gitattributes")
    assert f"{says}{mend}" in found("note")
    git(root, "rm", "--quiet", "--cached", ".gitattributes")
    assert f"{says}{mend}" in found("note")


def test_nothing_is_set_up(tmp_path: Path, root: Path) -> None:
    git(tmp_path, "init", "--quiet", "bare project")
    os.chdir(tmp_path / "bare project")
    assert missing() == [
        ".gitattributes: says nothing of models | kvcs init",
        *(
            f"hook {name}: is not there | kvcs init"
            for name in (
                "pre-commit", "prepare-commit-msg", "post-checkout", "post-merge", "pre-push",
            )
        ),
    ]  # fmt: skip
    assert "models: git tracks none yet | kvcs export SOURCE DIR" in found("note")


def test_a_bare_repository(tmp_path: Path, root: Path) -> None:
    git(tmp_path, "init", "--quiet", "--bare", "bare.git")
    os.chdir(tmp_path / "bare.git")
    assert missing() == []
    assert "work tree: a bare repository has none, so no hooks of its own" in found("note")


def test_no_identity(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.delenv(f"GIT_{who}_NAME")
        monkeypatch.delenv(f"GIT_{who}_EMAIL")
    git(root, "config", "user.useConfigOnly", "true")
    assert missing()[0].startswith("identity: git does not know who commits | git config --global")


def test_drivers(root: Path) -> None:
    git(root, "config", "--global", "--unset", "diff.kvcs.command")
    git(root, "config", "--global", "diff.kvcs-npy.textconv", "mine")
    assert missing() == ["diff.kvcs.command: is not set | kvcs init"]
    assert "diff.kvcs-npy.textconv: is your own: mine" in found("note")


def test_hooks(root: Path) -> None:
    hooks = root / ".git/hooks"
    (hooks / "pre-commit").unlink()
    (hooks / "post-merge").chmod(0o644)
    hook(root, "pre-push", "# kvcs hook: of old")
    hook(root, "post-checkout", "exit 0")
    hook(root, "prepare-commit-msg", 'exec all "$(basename "$0")"')
    assert missing() == [
        "hook pre-commit: is not there | kvcs init",
        (
            "hook prepare-commit-msg: is another tool's alone | add to it: "
            'if command -v kvcs >/dev/null; then kvcs hook prepare-commit-msg "$@"; fi'
        ),
        "hook post-checkout: is another tool's alone | kvcs init",
        "hook post-merge: is not executable | kvcs init",
        "hook pre-push: is of another version of kvcs | kvcs init",
    ]
    hook(root, "prepare-commit-msg", 'basename "$0"; kvcs hook prepare-commit-msg "$@"')
    kvcs("init")
    assert missing() == []


def test_husky(root: Path) -> None:
    git(root, "config", "core.hooksPath", ".husky/_")
    assert missing()[0] == (
        "hook pre-commit: .husky, where git takes hooks from, has no call of kvcs | add to "
        'pre-commit: if command -v kvcs >/dev/null; then kvcs hook pre-commit "$@"; fi'
    )
    write(root, {".husky/pre-commit": b'npm test\nkvcs hook pre-commit "$@"\n'})
    assert len(missing()) == 4
    assert "hook pre-commit: calls kvcs, in .husky" in found("ok")


def test_pre_commit_framework(root: Path) -> None:
    write(root, {".pre-commit-config.yaml": b"repos: []\n"})
    assert missing()[0].startswith("hooks: not in .pre-commit-config.yaml | add to `repos:`")
    write(root, {".pre-commit-config.yaml": b"    entry: kvcs hook pre-commit\n"})
    assert missing() == []


def test_line_ends(root: Path) -> None:
    git(root, "config", "core.autocrlf", "true")
    assert missing() == []
    assert any("core.autocrlf is true" in line for line in found("note"))
    (root / ".gitattributes").write_text("*.png binary\n")
    lines = missing()
    assert any(line.startswith("line ends: core.autocrlf is true, which") for line in lines)
    assert any("git may change line ends in 11 files, such as models/m/" in line for line in lines)


def test_attributes_that_another_line_takes_back(root: Path) -> None:
    with (root / ".gitattributes").open("a") as file:
        file.write("*.npy text\nmodels/m/model.json -diff\n")
    assert missing()[0].startswith(
        "attributes: git may change line ends in 7 files, such as models/m/layers/dense/bias.npy"
    )
    assert "attributes: git diff shows as text: models/m/model.json | kvcs init" in found("note")


def test_ignored_files(root: Path) -> None:
    write(root, {".gitignore": b"*.h5\n*.npy\n"})
    assert missing() == [
        (
            "ignored files: git would leave out models/m/layers/dense/kernel.npy, by the rule "
            "'*.npy' in .gitignore, line 2 | change that rule, or add one that begins with `!` "
            "below it"
        )
    ]
    write(root, {".gitignore": b"*.npy\n!models/**/*.npy\n"})
    assert missing() == []


def test_a_model_that_is_not_complete(root: Path) -> None:
    (root / "models/m/layers/dense/bias.npy").unlink()
    assert missing() == [
        (
            "model: models/m is not whole: layers/dense/bias.npy (layer layers/dense): missing; "
            "`kvcs verify models/m` lists all, `kvcs doctor` looks for a cause"
        )
    ]


def test_a_large_tensor(root: Path) -> None:
    git(root, "config", "kvcs.maxTensorSize", "150")
    assert missing() == [
        (
            "large tensors: 2 files, such as models/m/layers/dense/kernel.npy have more than 150 "
            "B, without Git LFS | kvcs init --lfs && git add --renormalize ."
        )
    ]


def test_clones(root: Path, tmp_path: Path) -> None:
    git(root, "config", "uploadpack.allowFilter", "true")
    options = ("--quiet", "--depth=1", "--filter=blob:limit=1m", "--sparse")
    git(tmp_path, "clone", *options, root.as_uri(), "clone")
    os.chdir(tmp_path / "clone")
    notes = found("note")
    assert "clone: shallow: older versions of models are not here | git fetch --unshallow" in notes
    assert any(line.startswith("clone: partial") for line in notes)
    assert any(line.startswith("clone: a sparse checkout") for line in notes)


class TestLfs:
    @pytest.fixture(autouse=True)
    def there(self, root: Path) -> None:
        """Give the tensors to Git LFS, if it is installed."""
        import shutil

        if shutil.which("git-lfs") is None:
            pytest.skip("git-lfs is not installed")
        kvcs("init", "--lfs")
        git(root, "add", "--renormalize", ".")
        git(root, "-c", "core.hooksPath=/", "commit", "--quiet", "-m", "To LFS")

    def test_all_is_well(self, root: Path) -> None:
        assert missing() == []
        assert "Git LFS: the objects of 7 pointers are here" in found("ok")

    def test_what_is_missing(self, root: Path) -> None:
        git(root, "config", "--unset", "filter.lfs.clean")
        (root / ".git/hooks/pre-push.lfs").unlink()
        (root / ".git/hooks/post-commit").unlink()
        assert missing() == [
            "filter.lfs.clean: is not set | kvcs init --lfs",
            "hook pre-push: does not call git-lfs | kvcs init --lfs",
        ]
        assert any("post-commit: does not call git-lfs" in line for line in found("note"))

    def test_objects_that_are_not_here(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")
        git(tmp_path, "clone", "--quiet", root.as_uri(), "clone")
        os.chdir(tmp_path / "clone")
        assert any("Git LFS: 7 of 7 objects are not here" in line for line in found("note"))
        assert any("3 tensors are pointers of Git LFS" in line for line in missing())
