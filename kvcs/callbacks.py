"""Callbacks for `keras.Model.fit`. Importing this module imports Keras.

model.fit(x, y, epochs=20, callbacks=[kvcs.callbacks.Commit("models/mnist")])
"""

from __future__ import annotations

import math
import os
import string
import warnings
from collections.abc import Mapping
from typing import Any

from kvcs.commands.branch import check_repository, commit_to_branch
from kvcs.commands.commit import commit
from kvcs.errors import OperandError
from kvcs.keras_io.callbacks import AtEpochs, Mode

__all__ = ["Commit"]


class Commit(AtEpochs):
    """Commits the model after epochs, with their metrics as trailers.

    What forbids every commit (no repository, no identity) is an error before the first epoch.
    After that, a commit that fails is a warning, and training goes on. When training ends, what
    the last epochs made of the model is committed too, unless `monitor` is given; not when it is
    interrupted.

    Args:
        path: the model directory, inside a git repository.
        message: the message of the commits, in which `{epoch}` (from 1) and every value in the
            logs is filled in, such as `Epoch {epoch}: val_loss {val_loss:.4f}`. Default: the
            epoch, and what is monitored.
        every: commit after each so many epochs.
        monitor: a value in the logs, such as `val_loss`: commit only when it is better than
            whenever it was looked at before.
        mode: whether `min` or `max` is better; `auto` goes by the name.
        min_delta: by how much it has to be better.
        initial_value_threshold: what the first value has to be better than.
        branch: commit to this branch, which begins at HEAD, and leave HEAD, the index and the
            working tree as they are; the directory is not written then, and no hooks run.
            Default: commit where HEAD is, as `kvcs.commit` does.
        optimizer: also commit the optimizer's variables, so that training can be resumed.
        strict: raise when a commit fails.

    Attributes:
        commits: the hashes of the commits that were made.
        best: the best of the monitored values.

    Raises:
        OperandError: an argument is wrong.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        message: str | None = None,
        *,
        every: int = 1,
        monitor: str | None = None,
        mode: Mode = "auto",
        min_delta: float = 0.0,
        initial_value_threshold: float | None = None,
        branch: str | None = None,
        optimizer: bool = True,
        strict: bool = False,
    ) -> None:
        super().__init__(
            every=every,
            monitor=monitor,
            mode=mode,
            min_delta=min_delta,
            initial_value_threshold=initial_value_threshold,
        )
        self.path = os.fspath(path)
        self.message = _default(monitor) if message is None else message
        self.branch = branch
        self.optimizer = optimizer
        self.strict = strict
        self.commits: list[str] = []
        _check_template(self.message)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Refuse what no commit could be made to.

        Raises:
            RepositoryError: there is no repository, no identity, or no such branch.
        """
        super().on_train_begin(logs)
        check_repository(self.path, self.branch)

    def store(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Commit the model."""
        try:
            found = self._commit(self._text(epoch, logs), self._metrics(logs))
        except Exception as error:  # whatever it is, hours of training are worth more
            if self.strict:
                raise
            _warn(f"epoch {epoch} was not committed: {error or type(error).__name__}")
            return
        if found is not None:
            self.commits.append(found)

    def missing(self, sentence: str) -> None:
        """Say that the monitored value is not there."""
        if self.strict:
            raise OperandError(sentence)
        _warn(f"no commit: {sentence}")

    def _commit(self, message: str, metrics: Mapping[str, float]) -> str | None:
        options: dict[str, Any] = {"metrics": metrics, "optimizer": self.optimizer}
        if self.branch is None:
            return commit(self.model, self.path, message, **options)
        return commit_to_branch(self.model, self.path, self.branch, message, **options)

    def _text(self, epoch: int, logs: Mapping[str, Any]) -> str:
        try:
            return self.message.format(**{**logs, "epoch": epoch})
        except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
            known = ", ".join(["epoch", *sorted(logs)])
            sentence = f"message {self.message!r} cannot be filled in with {known}: {error!r}"
            if self.strict:
                raise OperandError(sentence) from error
            _warn(sentence)
            return f"Epoch {epoch}"

    def _metrics(self, logs: Mapping[str, Any]) -> dict[str, float]:
        """Return what can be kept of the logs: finite numbers with a name that fits a trailer."""
        found = {}
        for name, value in logs.items():
            try:
                number = float(value)
            except (TypeError, ValueError):
                continue
            if not math.isfinite(number):
                _warn(f"metric {name} is {number}, and was left out of the commit")
            elif name and "=" not in name and name.isprintable() and name == name.strip():
                found[name] = number
            else:
                _warn(f"metric {name!r} was left out of the commit, which takes no such name")
        return found


def _default(monitor: str | None) -> str:
    if monitor is None:
        return "Epoch {epoch}"
    name = monitor.replace("{", "{{").replace("}", "}}")
    return f"Epoch {{epoch}}: {name} {{{monitor}:.4g}}"


def _check_template(message: str) -> None:
    try:
        list(string.Formatter().parse(message))
    except ValueError as error:
        raise OperandError(f"message={message!r} cannot be filled in: {error}") from None


def _warn(sentence: str) -> None:
    warnings.warn(f"kvcs: {sentence}", stacklevel=2)
