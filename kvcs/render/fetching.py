"""How far a download is, on a terminal."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """A bar on stderr that appears with the first news, if that is a terminal; else nothing."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show how many bytes are there of how many; of 0 where nobody knows."""
        if self._progress is None:
            if not sys.stderr.isatty():
                return
            self._progress = _start()
        if self._task is None:
            self._task = self._progress.add_task(self._title, total=total or None)
        self._progress.update(self._task, completed=done, total=total or None)

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Clear the bar away."""
        if self._progress is not None:
            self._progress.stop()


def _start() -> Progress:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TransferSpeedColumn,
    )

    from kvcs.render.text import console

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    progress = Progress(
        *columns, TransferSpeedColumn(), console=console(stderr=True), transient=True
    )
    progress.start()
    return progress
