"""`kvcs demo`: what it says, what it leaves behind, and that its proof can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gitrepo import git

import kvcs
from kvcs.commands import demo as demo_module
from kvcs.commands.demo import MODEL, Evidence, demo, gather, prove_same
from kvcs.commands.quiet import stderr_held_back
from kvcs.errors import KvcsError

KVCS = (sys.executable, "-m", "kvcs")

STORY = """\
kvcs demo: from a live Keras model to git, and back.
(Starting Keras, which takes a few seconds.)

1. Make a git repository
   $ git init 'a demo'
   git does not know who you are; in this repository alone, you are:
   $ git config user.name 'kvcs demo'
   $ git config user.email demo@example.org

2. Train a small network on 1,437 images of handwritten digits
   >>> model.fit(x_train, y_train, epochs=2)
   It knows PERCENT of 360 images that it was not trained on.

3. Commit it: JSON for what its layers are, .npy files for their weights
   >>> kvcs.commit(model, "models/digits", "Train a small network",
   ...             metrics={"accuracy": ACCURACY})
   HASH
   $ git tag v1

4. Train on, and commit
   >>> model.fit(x_train, y_train, epochs=2)
   >>> kvcs.commit(model, "models/digits", "Train for two more epochs",
   ...             metrics={"accuracy": ACCURACY})
   HASH

5. Insert a layer, keep all that is trained, train on, and commit
   >>> new = Dense(32, activation="relu", kernel_initializer="identity")
   >>> model = Sequential([*model.layers[:-1], new, model.layers[-1]])
   >>> model.fit(x_train, y_train, epochs=2)
   >>> kvcs.commit(model, "models/digits", "Insert a second hidden layer",
   ...             metrics={"accuracy": ACCURACY})
   HASH

6. Look back: the accuracy is a trailer of the commit, the rest is the model's
   $ git log models/digits
   $ kvcs show REV:models/digits
   HASH  Insert a second hidden layer  6,186 parameters, accuracy ACCURACY
   HASH  Train for two more epochs     5,130 parameters, accuracy ACCURACY
   HASH  Train a small network         5,130 parameters, accuracy ACCURACY

7. Check every checksum
   $ kvcs verify models/digits
   All 38 files are whole.

8. Restore the first version from git, with the working tree left alone
   >>> model = kvcs.load("v1:models/digits")
   All 21 variables are what they were in step 3, to the bit,
   and so are its predictions for all 360 test images.
   >>> kvcs.digest("v1:models/digits")
   sha256:HASH
   That is what it was in step 3, too.

The repository is yours to look into:
   cd 'a demo'
   kvcs diff v1
   kvcs diff v1 --format html -o report.html
   kvcs log models/digits
   kvcs show v1:models/digits
   git log --stat
   git diff v1 -- '*.json'
   kvcs verify
   kvcs checkout v1:models/digits -o first.keras
"""


@pytest.fixture(autouse=True)
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the test undo what the demo sets for its own process."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")


def normal(output: str) -> str:
    """Put words where the output is different on every machine."""
    output = re.sub(r"\b([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{7})\b", "HASH", output)
    output = re.sub(r"\b[01]\.[0-9]+\b", "ACCURACY", output)
    output = re.sub(r"\b[0-9]+\.[0-9]%", "PERCENT", output)
    return re.sub(r"^ +PATH=.*\n", "", output, flags=re.MULTILINE)


def run(
    directory: Path, *command: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)


def stranger() -> dict[str, str]:
    """Return the environment of somebody whom git does not know."""
    known = ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL")
    hidden = {"EMAIL", *(f"GIT_{name}" for name in known)}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    # git must not guess either, from the names of the user and of the machine.
    settings = {"COUNT": "1", "KEY_0": "user.useConfigOnly", "VALUE_0": "true"}
    return environment | {f"GIT_CONFIG_{name}": value for name, value in settings.items()}


def test_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "with a space"
    place.mkdir()
    done = run(place, *KVCS, "demo", "a demo", environment=stranger())
    assert (done.returncode, done.stderr) == (0, "")
    assert normal(done.stdout) == STORY
    monkeypatch.chdir(place / "a demo")
    check_what_it_leaves_behind()
    check_that_the_first_version_is_what_its_files_say(tmp_path / "first")


def check_what_it_leaves_behind() -> None:
    here = Path()
    assert git(here, "log", "--format=%s (%an)").splitlines() == [
        "Insert a second hidden layer (kvcs demo)",
        "Train for two more epochs (kvcs demo)",
        "Train a small network (kvcs demo)",
    ]
    assert git(here, "rev-parse", "v1") == git(here, "rev-parse", "HEAD~2")
    assert git(here, "status", "--porcelain", "--ignored") == ""
    verified = run(here, *KVCS, "verify")
    assert verified.stdout == "ok       models/digits: 38 files, every checksum holds\n"


def check_that_the_first_version_is_what_its_files_say(worktree: Path) -> None:
    model = kvcs.load(f"v1:{MODEL}")
    git(Path(), "worktree", "add", "--quiet", str(worktree), "v1")
    for layer in ("strokes", "hidden", "digit"):
        for variable in model.get_layer(layer).weights:
            stored = np.load(worktree / MODEL / "layers" / layer / f"{variable.name}.npy")
            assert np.array_equal(stored, variable.numpy())
    assert kvcs.digest(model) == kvcs.digest(f"v1:{MODEL}")
    assert kvcs.digest(model) != kvcs.digest(MODEL)


def test_whoever_git_knows_commits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.chdir(tmp_path)
    demo(Path("by Ada"), said.append)
    assert normal("\n".join(said)) + "\n" == re.sub(
        r"   git does not know .*\n.*\n.*\n", "", STORY
    ).replace("a demo", "by Ada")
    assert git(tmp_path / "by Ada", "log", "-1", "--format=%an") == "Ada Example"
    assert Path.cwd() == tmp_path


class TestRefusals:
    def test_a_directory_that_is_not_empty(self, tmp_path: Path) -> None:
        (tmp_path / "kvcs-demo").mkdir()
        (tmp_path / "kvcs-demo" / "mine").touch()
        done = run(tmp_path, *KVCS, "demo")
        assert (done.returncode, done.stdout, done.stderr) == (
            2,
            "",
            "kvcs: kvcs-demo is not empty: name a new one, as in `kvcs demo another-demo`\n",
        )
        assert [path.name for path in tmp_path.rglob("*")] == ["kvcs-demo", "mine"]

    def test_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "mine").touch()
        with pytest.raises(KvcsError, match="mine is no directory: name a new one"):
            demo(tmp_path / "mine", print)

    def test_a_place_where_nothing_can_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "mine").touch()
        with pytest.raises(KvcsError, match=r"could not make .*below: Not a directory"):
            demo(tmp_path / "mine" / "below", print)


EVIDENCE = Evidence(
    variables={"hidden/kernel": np.array([[0.0, 1.0]]), "hidden/bias": np.array([np.nan])},
    predictions=np.array([[0.25, 0.75]]),
    digest="sha256:0",
)


class TestTheProof:
    def test_holds_for_equals(self) -> None:
        variables = {name: array.copy() for name, array in EVIDENCE.variables.items()}
        prove_same(EVIDENCE, replace(EVIDENCE, variables=variables))

    @pytest.mark.parametrize(
        ("other", "reason"),
        [
            ({"hidden/kernel": [[0.0, 1.0]]}, "has other variables .*: hidden/bias$"),
            ({"hidden/kernel": [[-0.0, 1.0]]}, "differs .* in hidden/kernel$"),
            ({"hidden/kernel": [[0.0, np.nextafter(1.0, 2.0)]]}, "differs .* in hidden/kernel$"),
            ({"hidden/kernel": [0.0, 1.0]}, "differs .* in hidden/kernel$"),
        ],
    )
    def test_fails_by_one_bit_of_a_variable(self, other: dict[str, Any], reason: str) -> None:
        variables = {name: np.array(values) for name, values in other.items()}
        if "other variables" not in reason:
            variables["hidden/bias"] = EVIDENCE.variables["hidden/bias"]
        with pytest.raises(KvcsError, match=reason):
            prove_same(EVIDENCE, replace(EVIDENCE, variables=variables))

    def test_fails_by_one_bit_of_a_prediction(self) -> None:
        predictions = EVIDENCE.predictions.copy()
        predictions[0, 1] = np.nextafter(predictions[0, 1], 0)
        with pytest.raises(KvcsError, match="predicts something else"):
            prove_same(EVIDENCE, replace(EVIDENCE, predictions=predictions))

    def test_fails_by_the_digest(self) -> None:
        with pytest.raises(KvcsError, match="has the digest sha256:1, not sha256:0"):
            prove_same(EVIDENCE, replace(EVIDENCE, digest="sha256:1"))

    def test_the_evidence_is_a_copy(self) -> None:
        model = demo_module._compiled(demo_module._first_layers())
        kept = gather(model)
        for variable in model.variables:
            variable.assign(variable + 1)
        assert not any(
            np.array_equal(array, found)
            for (name, array), found in zip(
                kept.variables.items(), gather(model).variables.values(), strict=True
            )
            if not name.startswith("optimizer/")
        )

    def test_the_demo_fails_if_another_version_is_restored(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(demo_module, "load", lambda _: kvcs.load(f"HEAD~1:{MODEL}"))
        with pytest.raises(KvcsError, match="the restored model differs from the first version in"):
            demo(tmp_path / "demo", lambda line: None)


class TestStderrHeldBack:
    def test_nothing_is_shown(self, capfd: pytest.CaptureFixture[str]) -> None:
        with stderr_held_back():
            os.write(2, b"a notice\n")
        os.write(2, b"after\n")
        assert capfd.readouterr().err == "after\n"

    def test_all_is_shown_when_the_body_fails(self, capfd: pytest.CaptureFixture[str]) -> None:
        def fail() -> None:
            os.write(2, b"why it fails\n")
            raise ImportError

        with pytest.raises(ImportError), stderr_held_back():
            fail()
        os.write(2, b"after\n")
        assert capfd.readouterr().err == "why it fails\nafter\n"

    def test_it_keeps_no_file_descriptor(self) -> None:
        lowest = os.dup(0)
        os.close(lowest)
        with stderr_held_back():
            pass
        again = os.dup(0)
        os.close(again)
        assert again == lowest

    def test_a_closed_stderr_is_none_to_hold_back(self) -> None:
        program = (
            "import os; from kvcs.commands.quiet import stderr_held_back\n"
            "with stderr_held_back(): print('done')\n"
            "try: os.fstat(2)\n"
            "except OSError: print('closed')"
        )
        done = run(Path(), "sh", "-c", '"$0" -c "$1" 2>&-', sys.executable, program)
        assert done.stdout == "done\nclosed\n"
