"""The command line without Keras: what it prints, what it refuses, and what it imports.

Everything here works on models made without Keras, and most of it in this process; commands that
build a live model are in `test_commands.py`.
"""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli import KVCS, Done, kvcs, nested, process, refused, small, store, without
from gitrepo import begin, commit_all, git, hook, state

import kvcs as package
from kvcs.tree.writer import MANIFEST

COMMANDS = (
    *(
        "blame",
        "check",
        "checkout",
        "ci",
        "commit",
        "demo",
        "diff",
        "digest",
        "doctor",
        "export",
        "find",
    ),
    *("hook", "init", "log", "show", "verify"),
)

# What to do about an operand that is there, and no model.
NAME_ONE = "Name the directory that `kvcs.save` or `kvcs export` wrote"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one model, `models/mnist`; the tests run inside of it."""
    root = tmp_path / "project"
    begin(templates / "cli", (root,), lambda: store(root / "models/mnist"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def repository(root: Path, templates: Path) -> Path:
    """The same directory as a git repository, with the model committed."""
    begin(templates / "cli.git", (root,), lambda: make(root))
    return root


def make(root: Path) -> None:
    git(root, "init", "--quiet")
    commit_all(root, "First")


def damage(path: str) -> None:
    """Change the last byte of a file."""
    content = Path(path).read_bytes()
    Path(path).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


class TestVerify:
    def test_a_whole_model(self) -> None:
        out = "ok       models/mnist: 9 files, every checksum holds\n"
        assert kvcs("verify", "models/mnist") == Done(0, out, "")

    def test_without_a_name_every_model_below(self, root: Path) -> None:
        store(root / "a")
        assert kvcs("verify") == Done(
            0,
            "ok       a: 9 files, every checksum holds\n"
            "ok       models/mnist: 9 files, every checksum holds\n",
            "",
        )

    def test_without_a_name_inside_of_a_model(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir("models/mnist")
        assert kvcs("verify") == Done(0, "ok       .: 9 files, every checksum holds\n", "")

    def test_a_damaged_model(self) -> None:
        damage("models/mnist/layers/dense/kernel.npy")
        Path("models/mnist/layers/dense/bias.npy").unlink()
        Path("models/mnist/layers/dense/extra.npy").touch()
        store(Path("other"))
        assert kvcs("verify", "models/mnist", "other") == Done(
            1,
            "DAMAGED  models/mnist: 3 problems\n"
            "  layers/dense/bias.npy (layer layers/dense): missing\n"
            "  layers/dense/extra.npy (layer layers/dense): extra: the model does not list it\n"
            "  layers/dense/kernel.npy (layer layers/dense): altered: its SHA-256 is not the "
            "recorded one\n"
            "ok       other: 9 files, every checksum holds\n",
            "",
        )

    @pytest.mark.parametrize("content", [b"", b"{", b"[]\n"])
    def test_a_damaged_manifest_is_found_without_a_name(self, content: bytes) -> None:
        Path("models/mnist", MANIFEST).write_bytes(content)
        done = kvcs("verify")
        assert (done.code, done.err) == (1, "")
        assert done.lines[0] == "DAMAGED  models/mnist: 1 problem"

    def test_what_is_no_file_is_damage(self) -> None:
        Path("models/mnist/layers/dense/link.npy").symlink_to("bias.npy")
        done = kvcs("verify")
        assert done == Done(
            1,
            "DAMAGED  models/mnist: 1 problem\n"
            "  .: models/mnist/layers/dense/link.npy is neither a file nor a directory, and a "
            "stored model has no links or devices; remove it\n",
            "",
        )

    def test_what_is_no_file_is_damage_in_a_revision_too(self, repository: Path) -> None:
        Path("models/mnist/layers/dense/link.npy").symlink_to("bias.npy")
        commit_all(repository)
        assert kvcs("verify", "HEAD:models/mnist") == Done(
            1,
            "DAMAGED  HEAD:models/mnist: 1 problem\n"
            "  .: HEAD:models/mnist: 'layers/dense/link.npy' is a symbolic link, not a file\n",
            "",
        )

    def test_json(self) -> None:
        damage("models/mnist/layers/dense/kernel.npy")
        store(Path("other"))
        done = kvcs("verify", "--json", "models/mnist", "other")
        assert (done.code, done.err) == (1, "")
        assert json.loads(done.out) == [
            {
                "files": 9,
                "name": "models/mnist",
                "pointers": 0,
                "problems": [
                    {
                        "kind": "altered",
                        "layer": "layers/dense",
                        "message": "altered: its SHA-256 is not the recorded one",
                        "path": "layers/dense/kernel.npy",
                    }
                ],
                "whole": False,
            },
            {"files": 9, "name": "other", "pointers": 0, "problems": [], "whole": True},
        ]


class TestDigest:
    def test_four_of_them(self) -> None:
        parts = ("architecture", "weights", "state", "whole")
        digests = [package.digest("models/mnist", part) for part in parts]  # type: ignore[arg-type]
        assert len(set(digests)) == 4
        assert kvcs("digest", "models/mnist") == Done(
            0,
            f"architecture  {digests[0]}\n"
            f"weights       {digests[1]}\n"
            f"state         {digests[2]}\n"
            f"whole         {digests[3]}\n",
            "",
        )

    def test_one_alone_for_a_script(self) -> None:
        digest = package.digest("models/mnist", "weights")
        assert kvcs("digest", "models/mnist", "--part", "weights") == Done(0, f"{digest}\n", "")

    def test_json(self) -> None:
        done = kvcs("digest", "models/mnist", "--json")
        assert (done.code, done.err) == (0, "")
        assert json.loads(done.out) == {
            "architecture": package.digest("models/mnist", "architecture"),
            "state": package.digest("models/mnist", "state"),
            "weights": package.digest("models/mnist", "weights"),
            "whole": package.digest("models/mnist"),
        }

    def test_says_what_differs(self, root: Path) -> None:
        store(root / "other", bias=1.0)
        one, other = (
            json.loads(kvcs("digest", "--json", m).out) for m in ("models/mnist", "other")
        )
        assert {part for part in one if one[part] != other[part]} == {"weights", "whole"}


class TestShow:
    def test_a_table_of_the_layers(self) -> None:
        done = kvcs("show", "models/mnist")
        assert (done.code, done.err) == (0, "")
        assert done.lines == [
            "models/mnist: Functional (graph), Keras 3.15.1",
            "",
            " Layer (class)        Output shape   Params   Connected to",
            " ─────────────────────────────────────────────────────────",
            " image (InputLayer)   (None, 4)           0",
            " dense (Dense)        (None, 3)          15   image[0][0]",
            "",
            "Parameters: 15 (60 B)",
            "  trainable 15, non-trainable 0",
            "Compiled: yes, with 1 value of optimizer state",
            f"Digest: {package.digest('models/mnist')}",
        ]

    def test_models_in_models_and_shared_layers(self, root: Path) -> None:
        store(root / "nested", nested())
        done = kvcs("show", "nested")
        assert done.lines == [
            "nested: Functional (graph), Keras 3.15.1",
            "",
            " Layer (class)                           Output shape   Params   Connected to",
            " ─────────────────────────────────────────────────────────────────────────────",
            " image (InputLayer)                      (None, 4)           0",
            " encoder (Sequential)                    (None, 3)          21   image[0][0]",
            "   dense (Dense)                         (None, 3)          15",
            "   norm (BatchNormalization)             ?                   6",
            " dense (= layers/encoder/layers/dense)   (None, 3)           0   encoder[0][0]",
            "",
            "Parameters: 21 (84 B)",
            "  trainable 18, non-trainable 3",
            "Compiled: no",
            f"Digest: {package.digest('nested')}",
        ]

    def test_json(self) -> None:
        done = kvcs("show", "--json", "models/mnist")
        assert (done.code, done.err) == (0, "")
        found = json.loads(done.out)
        assert found.pop("digests") == json.loads(kvcs("digest", "--json", "models/mnist").out)
        assert found == {
            "build": "graph",
            "class_name": "Functional",
            "compiled": True,
            "has_weights": True,
            "keras_version": "3.15.1",
            "name": "models/mnist",
            "optimizer": 1,
            "parameters": 15,
            "rows": [
                {
                    "class_name": "InputLayer",
                    "depth": 0,
                    "inputs": [],
                    "name": "image",
                    "parameters": 0,
                    "path": "layers/image",
                    "shapes": [[None, 4]],
                    "shared": "",
                    "trainable": 0,
                },
                {
                    "class_name": "Dense",
                    "depth": 0,
                    "inputs": ["image[0][0]"],
                    "name": "dense",
                    "parameters": 15,
                    "path": "layers/dense",
                    "shapes": [[None, 3]],
                    "shared": "",
                    "trainable": 15,
                },
            ],
            "size": 60,
            "trainable": 15,
        }

    def test_reads_no_tensor(self) -> None:
        for tensor in Path("models/mnist").rglob("*.npy"):
            tensor.unlink()
        assert kvcs("show", "models/mnist").code == 0
        assert kvcs("digest", "models/mnist").code == 0


class TestCommit:
    def test_a_model_and_nothing_else(self, repository: Path) -> None:
        store(repository / "models/mnist", bias=1.0)
        Path("notes.txt").write_text("not a model")
        done = kvcs("commit", "models/mnist", "-m", "Train", "--metric", "accuracy=0.981")
        head = git(repository, "rev-parse", "HEAD")
        assert done == Done(0, f"committed {head}\n", "")
        message = git(repository, "log", "-1", "--format=%B")
        assert message == "Train\n\nKvcs-Metric: accuracy=0.981\n"
        assert git(repository, "status", "--short") == "?? notes.txt"
        assert git(repository, "show", "--name-only", "--format=").splitlines() == [
            "models/mnist/layers/dense/bias.npy",
            "models/mnist/layers/dense/layer.json",
            "models/mnist/model.json",
        ]

    def test_every_model_of_the_repository(
        self, repository: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store(repository / "models/mnist", bias=1.0)
        store(repository / "other", bias=1.0)
        monkeypatch.chdir("models")
        assert kvcs("commit", "-m", "Train both").code == 0
        assert git(repository, "status", "--short") == ""

    def test_every_model_but_what_git_does_not_see(self, repository: Path) -> None:
        """Ignored models, other repositories, and somebody else's model.json stay as they are."""
        store(repository / "models/mnist", bias=1.0)
        store(repository / "scratch/try", bias=1.0)
        Path(".gitignore").write_text("scratch/\n")
        git(repository, "init", "--quiet", "vendored")
        store(repository / "vendored/model", bias=1.0)
        Path("web").mkdir()
        Path("web/model.json").write_text('{"format": "layers-model"}')
        assert kvcs("commit", "-m", "Train").code == 0
        assert git(repository, "status", "--short").split() == [
            *("??", ".gitignore"),
            *("??", "vendored/"),
            *("??", "web/"),
        ]

    def test_every_model_also_one_that_is_gone(self, repository: Path) -> None:
        shutil.rmtree("models/mnist")
        assert kvcs("commit", "-m", "Remove").code == 0
        assert git(repository, "ls-files") == ""

    def test_metrics_are_sorted(self, repository: Path) -> None:
        store(repository / "models/mnist", bias=1.0)
        metrics = ("--metric", "loss=1e-3", "--metric", "accuracy=1", "--metric", "f1 score=.5")
        assert kvcs("commit", "-m", "Train", *metrics).code == 0
        assert git(repository, "log", "-1", "--format=%(trailers)") == (
            "Kvcs-Metric: accuracy=1.0\nKvcs-Metric: f1 score=0.5\nKvcs-Metric: loss=0.001\n"
        )

    def test_nothing_to_commit(self, repository: Path) -> None:
        before = state(repository)
        assert kvcs("commit", "-m", "x") == Done(0, "nothing to commit: no model changed\n", "")
        assert kvcs("commit", "-m", "x", "--json") == Done(0, '{\n  "commit": null\n}\n', "")
        assert state(repository) == before

    def test_json(self, repository: Path) -> None:
        store(repository / "models/mnist", bias=1.0)
        done = kvcs("commit", "-m", "Train", "--json")
        assert json.loads(done.out) == {"commit": git(repository, "rev-parse", "HEAD")}

    def test_a_removed_model(self, repository: Path) -> None:
        shutil.rmtree("models/mnist")
        assert kvcs("commit", "models/mnist", "-m", "Remove").code == 0
        assert git(repository, "ls-files") == ""


class TestVersionAndHelp:
    def test_version(self) -> None:
        assert kvcs("--version") == Done(0, f"kvcs, version {package.__version__}\n", "")

    @pytest.mark.parametrize("option", ["-h", "--help"])
    def test_help_names_every_command(self, option: str) -> None:
        done = kvcs(option)
        assert (done.code, done.err) == (0, "")
        assert done.lines[0] == "Usage: kvcs [OPTIONS] COMMAND [ARGS]..."
        listed = done.lines[done.lines.index("Commands:") + 1 :]
        assert tuple(line.split()[0] for line in listed) == COMMANDS

    def test_alone_it_shows_its_help_and_fails(self) -> None:
        """A script with an empty variable must not take that for success."""
        assert kvcs() == Done(2, "", kvcs("--help").out)

    @pytest.mark.parametrize("command", COMMANDS)
    @pytest.mark.parametrize("option", ["-h", "--help"])
    def test_of_a_command(self, command: str, option: str) -> None:
        done = kvcs(command, option)
        assert (done.code, done.err) == (0, "")
        assert done.lines[0].startswith(f"Usage: kvcs {command} [OPTIONS]")


class TestUsage:
    """Wrong options and arguments end as everything else that is wrong: one line, and 2."""

    @pytest.mark.parametrize(
        ("arguments", "help_of"),
        [
            (["--colour"], "kvcs"),
            (["frobnicate"], "kvcs"),
            (["show"], "kvcs show"),
            (["show", "--colour", "models/mnist"], "kvcs show"),
            (["show", "models/mnist", "models/other"], "kvcs show"),
            (["digest", "models/mnist", "--part", "all"], "kvcs digest"),
            (["commit"], "kvcs commit"),
            (["export", "m.keras"], "kvcs export"),
            (["checkout", "models/mnist"], "kvcs checkout"),
        ],
    )
    def test_says_which_help_to_read(self, arguments: list[str], help_of: str) -> None:
        assert refused(*arguments).endswith(f"; see `{help_of} --help`")

    def test_names_the_option(self) -> None:
        assert "--colour" in refused("show", "--colour", "models/mnist")

    def test_an_option_without_its_value(self) -> None:
        assert "--metric" in refused("commit", "-m", "x", "--metric")


class TestBadModel:
    """What MODEL can be instead of a model, for the commands that read one."""

    pytestmark = pytest.mark.parametrize("command", ["show", "digest", "verify"])

    def test_nothing(self, command: str) -> None:
        assert refused(command, "nowhere") == (
            "nowhere: no such directory. Name a model directory, REV:DIR as in git, "
            "or a .keras or .h5 file"
        )

    def test_an_empty_text(self, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir("models/mnist")  # which it must not be taken for
        assert refused(command, "") == "expected a path or REV:DIR, got ''"

    def test_a_directory_without_a_model(self, command: str) -> None:
        sentence = "models holds no model: it has no model.json. " + NAME_ONE
        assert refused(command, "models") == sentence

    def test_a_directory_is_not_looked_through_for_that(self, command: str) -> None:
        """Or the links in somebody's home would be called damage, and `remove it` the advice."""
        Path("models/link").symlink_to("mnist")
        assert "remove it" not in refused(command, "models")

    def test_a_layer(self, command: str) -> None:
        assert refused(command, "models/mnist/layers/dense").startswith(
            "models/mnist/layers/dense holds no model: it has no model.json"
        )

    def test_a_file(self, command: str) -> None:
        assert refused(command, "models/mnist/model.json") == (
            "models/mnist/model.json belongs to a model directory: name that directory"
        )

    def test_no_repository(self, command: str, root: Path) -> None:
        assert refused(command, "HEAD:models/mnist") == (
            f"There is no git repository in {root} or above it; "
            "go to the one you mean, or make one with `git init`."
        )

    def test_no_such_revision(self, command: str, repository: Path) -> None:
        assert refused(command, "v9:models/mnist") == (
            "There is no revision 'v9' in this repository."
        )

    def test_no_such_directory_in_the_revision(self, command: str, repository: Path) -> None:
        assert refused(command, "HEAD:nowhere") == (
            "There is no directory 'nowhere' in revision 'HEAD'."
        )

    def test_a_file_in_a_revision(self, command: str, repository: Path) -> None:
        assert refused(command, "HEAD:models/mnist/model.json") == (
            "'HEAD:models/mnist/model.json' is a file; name the directory that holds the model."
        )

    def test_a_directory_without_a_model_in_a_revision(
        self, command: str, repository: Path
    ) -> None:
        assert refused(command, "HEAD:models").startswith(
            "HEAD:models holds no model: it has no model.json"
        )

    def test_line_breaks_stay_in_the_line(self, command: str) -> None:
        assert refused(command, "two\nlines").startswith("two lines: no such directory")

    def test_a_name_no_file_system_takes(self, command: str) -> None:
        assert "File name too long" in refused(command, "long" * 100)

    def test_a_name_cannot_move_the_cursor(self, command: str, repository: Path) -> None:
        assert refused(command, "v1\x1b[2K\u202e:m") == (
            r"There is no revision 'v1\x1b[2K\u202e' in this repository."
        )

    def test_a_newer_format(self, command: str) -> None:
        manifest = Path("models/mnist", MANIFEST)
        newer = b'"format": 2,\n  "future": true'
        manifest.write_bytes(manifest.read_bytes().replace(b'"format": 1', newer))
        assert refused(command, "models/mnist") == (
            "models/mnist: the model is stored in format 2, this kvcs reads format 1; upgrade kvcs"
        )


class TestDamage:
    """`verify` lists all damage and exits with 1; whoever needs the model stops at the first."""

    pytestmark = pytest.mark.parametrize("command", ["show", "digest"])

    def test_of_the_manifest(self, command: str) -> None:
        manifest = Path("models/mnist", MANIFEST)
        manifest.write_bytes(manifest.read_bytes().replace(b'"Functional"', b'"Sequential"'))
        assert refused(command, "models/mnist") == (
            "models/mnist is damaged: model.json: the manifest was altered: its content does not "
            "match its checksum. `kvcs verify` lists all that is wrong; `git checkout` brings a "
            "committed version back"
        )

    def test_of_a_layer(self, command: str) -> None:
        damage("models/mnist/layers/dense/layer.json")
        assert refused(command, "models/mnist").startswith(
            "models/mnist is damaged: layers/dense/layer.json (layer layers/dense): altered"
        )

    def test_in_a_revision(self, command: str, repository: Path) -> None:
        Path("models/mnist/layers/dense/layer.json").unlink()
        commit_all(repository)
        assert refused(command, "HEAD:models/mnist").startswith(
            "HEAD:models/mnist is damaged: layers/dense/layer.json (layer layers/dense): missing"
        )


def test_verify_without_any_model(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "empty").mkdir()
    monkeypatch.chdir("empty")
    assert refused("verify") == "no model directory here or below: name one, or REV:DIR"


def test_a_current_directory_that_is_gone(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "gone").mkdir()
    monkeypatch.chdir("gone")
    (root / "gone").rmdir()
    assert refused("verify") == "no model directory here or below: name one, or REV:DIR"
    assert refused("show", "models").startswith("could not read models: No such file or directory")
    assert refused("show", "HEAD:models") == "The current directory does not exist any more."


class TestBadCommit:
    """What git is left with is in `test_repo.py`; here, that every reason becomes a line."""

    @pytest.fixture(autouse=True)
    def nothing_changes(self, repository: Path) -> None:
        store(repository / "models/mnist", bias=1.0)

    def test_outside_of_a_repository(
        self, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert refused("commit", "project/models/mnist", "-m", "x") == (
            f"There is no git repository in {tmp_path} or above it; "
            "go to the one you mean, or make one with `git init`."
        )

    def test_somebody_whom_git_does_not_know(
        self, repository: Path, sealed: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
            monkeypatch.delenv(f"GIT_{name}")
        git(repository, "config", "user.useConfigOnly", "true")
        before = state(repository)
        assert refused("commit", "-m", "x") == (
            "git does not know who commits; run `git config --global user.name 'Your Name'` "
            "and `git config --global user.email 'you@example.org'`, then commit again."
        )
        assert state(repository) == before

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["models"], "models holds no model: it has no model.json. " + NAME_ONE),
            (
                ["models/mnist/model.json"],
                "models/mnist/model.json belongs to a model directory: name that directory",
            ),
            (["nowhere"], "'nowhere' does not exist, and git does not track it."),
            (
                ["--metric", "accuracy"],
                "--metric wants NAME=VALUE with a number, not 'accuracy'",
            ),
            (
                ["--metric", "accuracy=high"],
                "--metric wants NAME=VALUE with a number, not 'accuracy=high'",
            ),
            (["--metric", "accuracy="], "--metric wants NAME=VALUE with a number, not 'accuracy='"),
            (["--metric", "=0.5"], "'' cannot be the name of a metric"),
            (["--metric", "a\nb=0.5"], r"'a\nb' cannot be the name of a metric"),
            (["--metric", "loss=nan"], "metric loss is nan: give a finite number, or leave it out"),
            (
                ["--metric", "loss=-inf"],
                "metric loss is -inf: give a finite number, or leave it out",
            ),
            (
                ["--metric", "loss=1", "--metric", "loss=2"],
                "--metric loss is given twice; a commit has one value of a metric",
            ),
        ],
    )
    def test_arguments(self, repository: Path, arguments: list[str], sentence: str) -> None:
        before = state(repository)
        assert refused("commit", "-m", "x", *arguments) == sentence
        assert state(repository) == before

    def test_an_empty_message(self) -> None:
        assert refused("commit", "-m", " ") == (
            "The commit message is empty; say what this version of the model is."
        )

    def test_during_a_merge(self, repository: Path) -> None:
        git(repository, "stash", "--quiet")
        git(repository, "commit", "--quiet", "--allow-empty", "-m", "Ours")
        git(repository, "branch", "theirs", "HEAD~1")
        git(repository, "switch", "--quiet", "theirs")
        git(repository, "commit", "--quiet", "--allow-empty", "-m", "Theirs")
        git(repository, "merge", "--quiet", "--no-commit", "main")
        store(repository / "models/mnist", bias=1.0)
        assert refused("commit", "-m", "x") == (
            "A merge is under way; finish it first, or `git merge --abort`."
        )

    def test_in_a_sparse_checkout(self, repository: Path) -> None:
        store(repository / "others/letters")
        assert kvcs("commit", "-m", "Letters").code == 0
        git(repository, "sparse-checkout", "set", "models")
        assert not (repository / "others").exists()
        store(repository / "models/mnist", bias=4.0)
        assert kvcs("commit", "-m", "Train").code == 0
        assert git(repository, "status", "--short") == ""
        assert git(repository, "ls-tree", "HEAD", "others/letters/model.json")
        sentence = (
            "'others/letters' is outside of the sparse checkout; "
            "`git sparse-checkout add others/letters` brings it in."
        )
        assert refused("commit", "others/letters", "-m", "x") == sentence
        store(repository / "others/letters", bias=1.0)  # there, and still none of git's business
        assert refused("commit", "-m", "x") == sentence

    def test_in_the_conflicts_of_a_merge(self, repository: Path) -> None:
        git(repository, "branch", "theirs")
        for branch, bias in (("theirs", 2.0), ("main", 3.0)):
            git(repository, "switch", "--quiet", "--force", branch)
            store(repository / "models/mnist", bias=bias)
            assert kvcs("commit", "-m", branch).code == 0
        git(repository, "merge", "--quiet", "theirs", status=1)
        assert refused("commit", "-m", "x") == (
            "A merge is under way; finish it first, or `git merge --abort`."
        )

    def test_a_damaged_model(self, repository: Path) -> None:
        damage("models/mnist/layers/dense/kernel.npy")
        before = state(repository)
        assert refused("commit", "models/mnist", "-m", "x") == (
            "models/mnist is damaged and was not committed: layers/dense/kernel.npy (layer "
            "layers/dense): altered: its SHA-256 is not the recorded one. "
            "`kvcs verify models/mnist` lists all that is wrong"
        )
        assert state(repository) == before

    def test_a_hook_that_says_no_in_several_lines(self, repository: Path) -> None:
        hook(repository, "pre-commit", "printf 'too big\\nmuch too big\\n' >&2; exit 1")
        assert refused("commit", "-m", "x") == (
            "The repository's hook pre-commit refused the commit: too big much too big"
        )

    def test_no_model_in_the_repository(self, repository: Path) -> None:
        git(repository, "rm", "-rf", "--quiet", "models")
        assert refused("commit", "-m", "x") == (
            f"no model directory below {repository}: `kvcs export SOURCE DIR` makes one"
        )

    def test_a_bare_repository(self, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(repository, "clone", "--quiet", "--bare", ".", "bare.git")
        monkeypatch.chdir("bare.git")
        assert refused("commit", "-m", "x") == (
            "a bare repository has no working tree to commit from"
        )


class TestForgery:
    """A model comes from somebody else: no name in it may move the cursor or hide a character."""

    EVIL = "a\x1b[2K\u202eb\nok  "

    def test_show_escapes_names(self, root: Path) -> None:
        store(root / "evil", small(name=self.EVIL, cls="De\x1b[31mnse", keras_version="3\x07"))
        lines = kvcs("show", "evil").lines
        assert lines[0] == r"evil: Functional (graph), Keras 3\x07"
        assert lines[5].startswith(r" a\x1b[2K\u202eb\nok   (De\x1b[31mnse)   (None, 3) ")
        assert len(lines) == 11

    def test_json_escapes_them_too(self, root: Path) -> None:
        store(root / "evil", small(name=self.EVIL))
        out = kvcs("show", "--json", "evil").out
        assert out.isascii()
        assert json.loads(out)["rows"][1]["name"] == self.EVIL

    def test_verify_escapes_paths(self) -> None:
        Path("models/mnist", self.EVIL + ".npy").touch()
        assert kvcs("verify").lines == [
            "DAMAGED  models/mnist: 1 problem",
            r"  a\x1b[2K\u202eb\nok  .npy: extra: the model does not list it",
        ]

    def test_errors_escape_names(self, root: Path) -> None:
        layer = b'{\n  "a\\u001b[2K": 1\n}\n'
        Path("models/mnist", MANIFEST).write_bytes(layer)
        assert "\x1b" not in refused("show", "models/mnist")

    def test_a_name_that_the_output_cannot_hold(self, root: Path) -> None:
        store(root / "größe", small(name="größe"))
        done = process("show", "größe", env=without(PYTHONIOENCODING="ascii"))
        assert (done.code, done.err) == (0, "")
        assert done.lines[0] == r"gr\xf6\xdfe: Functional (graph), Keras 3.15.1"


class TestWidth:
    """Long names go on in the next line; nothing is left out."""

    NAME = "dense_with_a_name_that_is_quite_long_since_somebody_chose_it"

    @pytest.fixture(autouse=True)
    def long(self, root: Path) -> None:
        store(root / "long", small(name=self.NAME))

    def test_40(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        assert kvcs("show", "long").lines == [
            "long: Functional (graph), Keras 3.15.1",
            "",
            " Layer      Output             Connecte",
            " (class)    shape     Params   d to",
            " ──────────────────────────────────────",
            " image      (None,         0",
            " (InputLa   4)",
            " yer)",
            " dense_wi   (None,        15   image[0]",
            " th_a_nam   3)                 [0]",
            " e_that_i",
            " s_quite_",
            " long_sin",
            " ce_someb",
            " ody_chos",
            " e_it",
            " (Dense)",
            "",
            "Parameters: 15 (60 B)",
            "  trainable 15, non-trainable 0",
            "Compiled: yes, with 1 value of optimizer state",
            f"Digest: {package.digest('long')}",
        ]

    def test_80(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        assert kvcs("show", "long").lines[2:7] == [
            " Layer (class)                             Output shape   Params   Connected to",
            " ──────────────────────────────────────────────────────────────────────────────",
            " image (InputLayer)                        (None, 4)           0",
            " dense_with_a_name_that_is_quite_long_si   (None, 3)          15   image[0][0]",
            " nce_somebody_chose_it (Dense)",
        ]

    def test_200(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "200")
        row = f" {self.NAME} (Dense)   (None, 3)          15   image[0][0]"
        assert kvcs("show", "long").lines[5] == row

    @pytest.mark.parametrize("command", ["digest", "verify"])
    def test_what_is_no_table_is_not_broken(
        self, command: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So that a digest can be copied, and a line be searched for."""
        wide = kvcs(command, "long")
        monkeypatch.setenv("COLUMNS", "20")
        assert kvcs(command, "long") == wide


class TestColour:
    @pytest.fixture(autouse=True)
    def damaged(self) -> None:
        damage("models/mnist/layers/dense/kernel.npy")

    def test_none_where_it_is_no_terminal(self) -> None:
        done = process("verify")
        assert done.code == 1
        assert done.lines[0] == "DAMAGED  models/mnist: 1 problem"
        assert "\x1b" not in done.out

    def test_red_on_a_terminal(self) -> None:
        screen = on_a_terminal("verify", env=without(TERM="xterm-256color"))
        assert "\x1b[1;31mDAMAGED  models/mnist: 1 problem\x1b[0m" in screen

    def test_no_color(self) -> None:
        screen = on_a_terminal("verify", env=without(TERM="xterm-256color", NO_COLOR="1"))
        assert "DAMAGED  models/mnist: 1 problem" in screen
        assert "31m" not in screen

    def test_a_terminal_without_colours(self) -> None:
        screen = on_a_terminal("verify", env=without(TERM="dumb"))
        assert "\x1b" not in screen


def on_a_terminal(*arguments: str, env: dict[str, str]) -> str:
    """Run a command whose output is a terminal, and return what the terminal was sent."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen([*KVCS, *arguments], stdout=theirs, env=env)
    os.close(theirs)
    sent = b""
    try:
        while chunk := os.read(ours, 65536):
            sent += chunk
    except OSError:  # how Linux says that the other end was closed
        pass
    os.close(ours)
    running.wait()
    return sent.decode()


class TestStreams:
    """Readers that leave, disks that are full, streams that are closed: never a traceback."""

    @pytest.mark.parametrize(
        "command", [["show", "models/mnist"], ["digest", "--json", "models/mnist"], ["verify"]]
    )
    def test_nobody_reads(self, command: list[str]) -> None:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*KVCS, *command], stdout=writer, stderr=subprocess.PIPE)
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, b"")

    def test_head(self) -> None:
        pipe = f"{sys.executable} -m kvcs show models/mnist | head -n 1"
        done = process(command=["sh", "-c", pipe])
        assert done == Done(0, "models/mnist: Functional (graph), Keras 3.15.1\n", "")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
    @pytest.mark.parametrize("option", [[], ["--json"]])
    def test_a_full_disk(self, option: list[str]) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*KVCS, "digest", "models/mnist", *option], stdout=full, stderr=subprocess.PIPE
            )
        sentence = b"kvcs: could not print all of the output: No space left on device\n"
        assert (done.returncode, done.stderr) == (2, sentence)

    @pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    @pytest.mark.parametrize(("model", "code"), [("models/mnist", 0), ("nowhere", 2)])
    def test_closed_streams(self, closed: str, model: str, code: int) -> None:
        done = process(command=["sh", "-c", f"{sys.executable} -m kvcs show {model} {closed}"])
        assert done.code == code
        assert "Traceback" not in done.err

    def test_the_next_file_does_not_take_the_place_of_a_closed_stream(self) -> None:
        script = (
            "from kvcs.cli.program import _open_streams\n"
            "_open_streams(); print(open('f', 'w').fileno() > 2)"
        )
        sh = ["sh", "-c", '"$@" <&- 2>&-', "sh", sys.executable, "-c", script]
        assert process(command=sh) == Done(0, "True\n", "")


class TestLeaving:
    SLOW = "import time\nprint('ready', flush=True)\ntime.sleep(60)\n"
    BROKEN = "raise ValueError('my own mistake')\n"
    # A shell that starts the tests in the background has all that they start ignore Ctrl-C.
    IN_FOREGROUND = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from kvcs.cli import run\n"
        "run()\n"
    )

    def test_ctrl_c(self, root: Path) -> None:
        (root / "slow.py").write_text(self.SLOW)
        command = [sys.executable, "-c", self.IN_FOREGROUND, "export", "slow:model", "out"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, **pipes) as running:  # type: ignore[call-overload]
            assert running.stdout.readline() == "ready\n"
            running.send_signal(signal.SIGINT)
            _, err = running.communicate()
        assert running.returncode == 130
        assert err == "\nkvcs: interrupted\n"
        assert not Path("out").exists()

    def test_a_bug_keeps_its_traceback(self, root: Path) -> None:
        """And does not exit with 1, which would say that damage was found."""
        (root / "broken.py").write_text(self.BROKEN)
        done = process("export", "broken:model", "out")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("Traceback (most recent call last):\n")
        assert done.err.endswith("\nValueError: my own mistake\n")


class TestImports:
    """A review needs neither Keras nor TensorFlow, and a start takes no longer than it must."""

    SLOW = frozenset(
        {"click", "deepdiff", "git", "h5py", "jax", "keras", "ml_dtypes", "numpy", "rich"}
        | {"tensorflow", "torch"}
    )
    # An AssertionError, since code may well catch an ImportError.
    WITHOUT_KERAS = (
        "import json, sys\n"
        "class Wall:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('keras', 'tensorflow', 'jax', 'torch'):\n"
        "            raise AssertionError(f'{name} was imported')\n"
        "sys.meta_path.insert(0, Wall())\n"
        "from cli import kvcs\n"
        "json.dump([kvcs(*arguments) for arguments in json.load(sys.stdin)], sys.stdout)\n"
    )
    LISTED = (
        "import sys\n"
        "from kvcs.cli import run\n"
        "try:\n"
        "    run()\n"
        "except SystemExit as leaving:\n"
        "    assert not leaving.code\n"
        "print(*sys.modules, file=sys.stderr)\n"
    )

    def without_keras(self, commands: list[list[str]]) -> list[tuple[list[str], Done]]:
        """Run commands one after the other, in a process in which Keras cannot be imported."""
        done = process(
            command=(sys.executable, "-c", self.WITHOUT_KERAS), input=json.dumps(commands),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        )  # fmt: skip
        assert done.code == 0, done.err
        return list(zip(commands, [Done(*each) for each in json.loads(done.out)], strict=True))

    def test_work_without_keras(self, repository: Path) -> None:
        store(repository / "models/mnist", bias=1.0)
        commands = [
            ["--help"],
            ["--version"],
            *([command, "--help"] for command in COMMANDS),
            ["verify"],
            ["verify", "HEAD:models/mnist", "--json"],
            ["digest", "models/mnist"],
            ["digest", ":models/mnist", "--json"],
            ["show", "models/mnist"],
            ["show", "HEAD:models/mnist", "--json"],
            ["diff"],
            ["diff", "HEAD:models/mnist", "models/mnist", "--format", "json"],
            ["check", "HEAD"],
            ["ci", "analyse", "--base", "HEAD", "--head", "HEAD", "--output", "out"],
            ["commit", "models/mnist", "-m", "Train"],
        ]
        for arguments, done in self.without_keras(commands):
            assert (done.code, done.err) == (0, ""), arguments
            assert done.out, arguments

    def test_fail_without_keras_too(self, repository: Path) -> None:
        commands = [
            [*command, argument]
            for command in (["show"], ["digest"], ["verify"], ["checkout", "-o", "out.keras"])
            for argument in ("nowhere", "HEAD:nowhere", "models")
        ]
        for arguments, done in self.without_keras(commands):
            assert (done.code, done.err[:6]) == (2, "kvcs: "), arguments

    @pytest.mark.parametrize(
        ("arguments", "imported"),
        [
            (["--help"], {"click"}),
            (["verify", "models/mnist"], {"click", "numpy", "rich"}),
            (["verify", "--json", "models/mnist"], {"click", "numpy"}),
            (["digest", "models/mnist"], {"click", "rich"}),
            (["show", "models/mnist"], {"click", "numpy", "rich"}),
            (["show", "HEAD:models/mnist"], {"click", "git", "numpy", "rich"}),
            (["diff", "models/mnist", "models/mnist"], {"click", "numpy", "rich"}),
            (["check", "models/mnist", "models/mnist"], {"click", "git", "numpy", "rich"}),
            (["commit", "-m", "Nothing"], {"click", "git"}),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else "",
    )
    def test_import_no_more_than_they_use(
        self, repository: Path, arguments: list[str], imported: set[str]
    ) -> None:
        done = process(*arguments, command=(sys.executable, "-c", self.LISTED))
        assert done.code == 0
        assert self.SLOW & set(done.err.split()) == imported

    def test_the_package_alone_imports_nothing(self) -> None:
        script = "import sys, kvcs; print(*sys.modules)"
        done = process(command=(sys.executable, "-c", script))
        assert not self.SLOW & set(done.out.split())

    def test_the_functions_of_the_package_import_no_keras(self) -> None:
        script = "import sys, kvcs\nfor name in kvcs.__all__: getattr(kvcs, name)\n"
        script += "print(*sys.modules)"
        done = process(command=(sys.executable, "-c", script))
        assert self.SLOW & set(done.out.split()) == {"numpy"}


class TestPackage:
    def test_lists_what_it_has_before_it_is_imported(self) -> None:
        script = "import kvcs; print(sorted(set(kvcs.__all__) - set(dir(kvcs))))"
        assert process(command=(sys.executable, "-c", script)).out == "[]\n"

    def test_has_nothing_else(self) -> None:
        with pytest.raises(AttributeError, match=r"^module 'kvcs' has no attribute 'dif'$"):
            package.dif  # noqa: B018

    def test_runs_as_a_module_and_as_a_program(self) -> None:
        program = str(Path(sys.executable).with_name("kvcs"))
        done = process("verify")
        assert done == kvcs("verify")
        if Path(program).exists():  # installed
            assert process("verify", command=[program]) == done
