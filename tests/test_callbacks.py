"""`kvcs.callbacks.Commit`: commits while a model is trained."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import models
import numpy as np
import pytest
from gitrepo import commit_all, git, hook, state, write
from keras import layers
from live import bits, variables_of

import kvcs
from kvcs.callbacks import Commit
from kvcs.errors import OperandError, RepositoryError, SaveError

X, Y = models.floats(32, 6), models.floats(32, 1)
FIT: dict[str, Any] = {"batch_size": 32, "shuffle": False, "verbose": 0}  # a step an epoch
STEPS = {**FIT, "batch_size": 8}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    write(root, {"README.md": b"One\n"})
    git(root, "init", "--quiet")
    commit_all(root, "First")
    monkeypatch.chdir(root)
    keras.utils.set_random_seed(1)
    return root


def network() -> keras.Model:
    """Return a model with all that makes a step depend on more than weights."""
    hidden = layers.Dense(4, activation="tanh")
    rest = [layers.BatchNormalization(), layers.Dropout(0.3, seed=3), layers.Dense(1)]
    model = keras.Sequential([keras.Input((6,)), hidden, *rest])
    model.compile(keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"], run_eagerly=True)
    return model


def subjects(revision: str = "HEAD") -> list[str]:
    return git(Path(), "log", "--format=%s", "--reverse", revision).splitlines()[1:]


class Given(keras.callbacks.Callback):
    """Puts values of one's choice into the logs."""

    def __init__(self, **values: list[float]) -> None:
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs.update({name: values[epoch] for name, values in self.values.items()})


def train(callback: Commit, epochs: int = 4, model: Any = None, **given: list[float]) -> Any:
    model = model or network()
    model.fit(X, Y, epochs=epochs, callbacks=[Given(**given), callback], **FIT)
    return model


@contextmanager
def warned(pattern: str) -> Iterator[list[str]]:
    """Collect what kvcs warns of; what a backend warns of is its own affair."""
    sentences: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield sentences
    found = [str(warning.message) for warning in caught]
    sentences += [sentence for sentence in found if sentence.startswith("kvcs: ")]
    assert any(re.search(pattern, sentence) for sentence in sentences), found


class TestWhen:
    def test_each_epoch(self) -> None:
        callback = Commit("models/net")
        train(callback, epochs=3)
        assert subjects() == ["Epoch 1", "Epoch 2", "Epoch 3"]
        assert callback.commits == git(Path(), "rev-list", "--reverse", "HEAD").split()[1:]

    def test_every_second_and_what_is_left_in_the_end(self) -> None:
        train(Commit("models/net", every=2), epochs=5)
        assert subjects() == ["Epoch 2", "Epoch 4", "Epoch 5"]

    def test_when_it_is_better(self) -> None:
        callback = Commit("models/net", monitor="val_loss")
        train(callback, val_loss=[2.0, 3.0, float("nan"), 1.0])
        assert subjects() == ["Epoch 1: val_loss 2", "Epoch 4: val_loss 1"]
        assert callback.best == 1.0

    @pytest.mark.parametrize(
        ("options", "kept"),
        [
            ({"monitor": "accuracy"}, [1, 2, 4]),
            ({"monitor": "val_mae"}, [1, 3]),
            ({"monitor": "odd", "mode": "max"}, [1, 2, 4]),
            ({"monitor": "odd", "mode": "min"}, [1, 3]),
            ({"monitor": "accuracy", "min_delta": 0.5}, [1, 2]),
            ({"monitor": "accuracy", "initial_value_threshold": 2.0}, [4]),
            ({"monitor": "accuracy", "every": 2}, [2, 4]),
        ],
    )
    def test_which_way_is_better(self, options: dict[str, Any], kept: list[int]) -> None:
        values = [1.0, 2.0, 0.5, 2.4]
        train(Commit("models/net", "{epoch}", **options), accuracy=values, val_mae=values,
              odd=values)  # fmt: skip
        assert subjects() == [str(epoch) for epoch in kept]

    def test_nothing_that_did_not_change(self) -> None:
        callback = Commit("models/net", optimizer=False)
        model = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.0), "mse")
        train(callback, model=model)
        assert subjects() == ["Epoch 1"]
        assert len(callback.commits) == 1

    def test_a_value_that_is_not_there(self) -> None:
        with warned("monitor='val_loss' is not in the logs: there is"):
            train(Commit("models/net", monitor="val_loss"), epochs=1)
        with pytest.raises(OperandError, match="is not in the logs"):
            train(Commit("models/net", monitor="val_loss", strict=True), epochs=1)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"every": 0}, "every=0: expected a number of epochs, 1 or more"),
            ({"mode": "best"}, "mode='best': expected auto, min or max"),
            ({"monitor": "odd"}, "monitor='odd': is more of it better?"),
            ({"message": "{epoch"}, "message='{epoch' cannot be filled in: "),
        ],
    )
    def test_wrong_arguments(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(OperandError) as caught:
            Commit("models/net", **options)
        assert str(caught.value).startswith(message)


class TestWhat:
    def test_metrics_are_trailers(self) -> None:
        train(Commit("models/net"), epochs=1, odd=[0.5])
        (entry,) = kvcs.log("models/net")
        assert set(entry.metrics) == {"loss", "mae", "odd"}
        assert entry.metrics["odd"] == 0.5

    def test_what_no_trailer_can_hold_is_left_out(self) -> None:
        with warned("left out of the commit") as sentences:
            train(Commit("models/net"), epochs=1, **{"nan": [float("nan")], "a=b": [1.0]})
        assert sentences == [
            "kvcs: metric nan is nan, and was left out of the commit",
            "kvcs: metric 'a=b' was left out of the commit, which takes no such name",
        ]
        assert set(kvcs.log("models/net").entries[0].metrics) == {"loss", "mae"}

    def test_message(self) -> None:
        train(Commit("models/net", "Epoch {epoch}: odd {odd:.4f}"), epochs=1, odd=[0.5])
        assert subjects() == ["Epoch 1: odd 0.5000"]

    def test_a_message_that_cannot_be_filled_in(self) -> None:
        with warned("cannot be filled in with epoch, loss, mae"):
            train(Commit("models/net", "{val_loss}"), epochs=1)
        assert subjects() == ["Epoch 1"]

    def test_without_the_optimizer(self) -> None:
        train(Commit("models/net", optimizer=False), epochs=1)
        assert not Path("models/net/optimizer").exists()


class TestBranch:
    def test_nothing_else_is_touched(self, root: Path) -> None:
        write(root, {"README.md": b"Two\n", "staged.txt": b""})
        git(root, "add", "staged.txt")
        before = state(root), git(root, "rev-parse", "HEAD")
        callback = Commit("models/net", branch="training/run-1")
        model = train(callback, epochs=2)
        assert (state(root), git(root, "rev-parse", "HEAD")) == before
        assert subjects("training/run-1") == ["Epoch 1", "Epoch 2"]
        assert callback.commits[-1] == git(root, "rev-parse", "training/run-1")
        restored = kvcs.load("training/run-1:models/net")
        assert [bits(v) for v in variables_of(restored)] == [bits(v) for v in variables_of(model)]
        assert kvcs.verify("training/run-1:models/net")

    def test_is_what_a_commit_would_be(self) -> None:
        model = network()
        train(Commit("models/net", branch="run"), epochs=1, model=model)
        kvcs.commit(model, "models/net", "By hand")
        trees = [git(Path(), "rev-parse", f"{name}:models/net") for name in ("run", "HEAD")]
        assert trees[0] == trees[1]

    def test_that_is_checked_out(self) -> None:
        with pytest.raises(RepositoryError, match="Branch 'main' is checked out in "):
            train(Commit("models/net", branch="main"))


class TestFailures:
    def test_training_goes_on(self, root: Path) -> None:
        hook(root, "pre-commit", "exit 1")
        callback = Commit("models/net")
        with warned("epoch [12] was not committed: The repository's hook"):
            train(callback, epochs=2)
        assert callback.commits == []

    def test_unless_it_is_strict(self, root: Path) -> None:
        hook(root, "pre-commit", "exit 1")
        with pytest.raises(RepositoryError):
            train(Commit("models/net", strict=True))

    def test_a_model_that_cannot_be_saved(self) -> None:
        write(Path("models/net"), {"mine.txt": b""})
        with warned("epoch 1 was not committed: models/net is not empty"):
            train(Commit("models/net"), epochs=1)
        with pytest.raises(SaveError):
            train(Commit("models/net", strict=True), epochs=1)

    def test_no_repository_is_said_before_the_first_epoch(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        model = network()
        before = [bits(v) for v in model.variables]
        with pytest.raises(RepositoryError, match="There is no git repository"):
            train(Commit("models/net"), model=model)
        assert [bits(v) for v in model.variables] == before

    def test_nobody_who_commits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.delenv(f"GIT_{who}_NAME")
            monkeypatch.delenv(f"GIT_{who}_EMAIL")
        git(Path(), "config", "user.useConfigOnly", "true")
        with pytest.raises(RepositoryError, match="git does not know who commits"):
            train(Commit("models/net"))

    def test_a_bare_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        git(tmp_path, "clone", "--quiet", "--bare", "project", "bare.git")
        monkeypatch.chdir(tmp_path / "bare.git")
        with pytest.raises(RepositoryError, match="name a `branch`"):
            train(Commit("models/net"))
        train(Commit("models/net", branch="run"), epochs=1)
        assert subjects("run") == ["Epoch 1"]


class Interrupted(keras.callbacks.Callback):
    """Ends a training in the middle, as a killed process would."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("branch", [None, "run"])
def test_resumed_training_is_training_that_was_never_interrupted(branch: str | None) -> None:
    keras.utils.set_random_seed(1)
    whole = network()
    whole.fit(X, Y, epochs=3, **STEPS)
    keras.utils.set_random_seed(1)
    callbacks = [Commit("models/net", branch=branch), Interrupted()]
    with pytest.raises(KeyboardInterrupt):
        network().fit(X, Y, epochs=3, callbacks=callbacks, **STEPS)
    resumed = kvcs.load(f"{branch or 'HEAD'}:models/net")
    resumed.fit(X, Y, epochs=3, initial_epoch=2, **STEPS)
    assert [bits(v) for v in variables_of(resumed)] == [bits(v) for v in variables_of(whole)]
    assert np.isfinite(resumed.evaluate(X, Y, verbose=0)).all()


def test_importing_kvcs_does_not_import_keras() -> None:
    script = (
        "import sys, kvcs; assert 'callbacks' in dir(kvcs); assert 'keras' not in sys.modules; "
        "assert kvcs.callbacks.Commit.__name__ == 'Commit'; assert 'keras' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, stderr=subprocess.DEVNULL)


def test_a_live_model_and_its_file_are_found() -> None:
    callback = Commit("models/net", branch="run")
    model = train(callback, epochs=2)
    model.save("deployed.keras")
    for operand in (model, "deployed.keras"):
        (place,) = kvcs.find(operand)
        assert [commit.commit for commit in place.since] == callback.commits[-1:]
        assert place.refs == ("refs/heads/run",)
