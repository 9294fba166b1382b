"""When a model is stored in the course of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, get_args

import keras

from kvcs.errors import OperandError

Mode: TypeAlias = Literal["auto", "min", "max"]

# What the names of metrics tell about their better end.
_RISING = ("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "similarity", "bleu")
_FALLING = ("loss", "error", "mse", "mae", "mape", "msle", "rmse", "perplexity", "entropy",
            "divergence", "hinge", "logcosh")  # fmt: skip


class AtEpochs(keras.callbacks.Callback):  # type: ignore[misc]
    """Calls `store` after some epochs; a subclass says what that does.

    Args:
        every: after each so many epochs, counted from the first of the model.
        monitor: a value in the logs, such as `val_loss`: only when it is better than whenever it
            was looked at before.
        mode: whether `min` or `max` is better; `auto` goes by the name.
        min_delta: by how much it has to be better.
        initial_value_threshold: what the first value has to be better than.
    """

    def __init__(
        self,
        *,
        every: int,
        monitor: str | None,
        mode: Mode,
        min_delta: float,
        initial_value_threshold: float | None,
    ) -> None:
        super().__init__()
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise OperandError(f"every={every!r}: expected a number of epochs, 1 or more")
        if mode not in get_args(Mode):
            raise OperandError(f"mode={mode!r}: expected auto, min or max")
        self.every = every
        self.monitor = monitor
        self.sign = 0 if monitor is None else _sign(monitor, mode)
        self.min_delta = abs(min_delta)
        self.best = initial_value_threshold
        self._pending: tuple[int, dict[str, Any]] | None = None

    def store(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Store the model, after an epoch (from 1) with its logs."""
        raise NotImplementedError

    def missing(self, sentence: str) -> None:
        """Say that the monitored value is not there."""
        raise NotImplementedError

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Forget what is left of another training."""
        self._pending = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Store the model, if its time has come and it is better."""
        self._pending = epoch + 1, dict(logs or {})
        if (epoch + 1) % self.every == 0 and (self.monitor is None or self._is_better()):
            self._store()

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Store what the last epochs, fewer than `every`, have made of the model."""
        if self._pending is not None and self.monitor is None:
            self._store()

    def _store(self) -> None:
        assert self._pending is not None, "there was an epoch"
        (epoch, logs), self._pending = self._pending, None
        self.store(epoch, logs)

    def _is_better(self) -> bool:
        assert self._pending is not None, "there was an epoch"
        _, logs = self._pending
        if self.monitor not in logs:
            known = ", ".join(sorted(logs)) or "nothing"
            self.missing(f"monitor={self.monitor!r} is not in the logs: there is {known}")
            return False
        value = float(logs[self.monitor])
        if math.isnan(value):
            return False
        if self.best is not None and self.sign * (value - self.best) <= self.min_delta:
            return False
        self.best = value
        return True


def _sign(monitor: str, mode: Mode) -> int:
    """Return 1 where more is better, -1 where less is.

    Raises:
        OperandError: that cannot be told by the name.
    """
    if mode != "auto":
        return 1 if mode == "max" else -1
    name = monitor.lower().removeprefix("val_")
    for sign, words in ((-1, _FALLING), (1, _RISING)):
        if any(word in name for word in words):
            return sign
    raise OperandError(f"monitor={monitor!r}: is more of it better? Say mode='max' or mode='min'")
