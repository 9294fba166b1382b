"""How far the comparison of large weights is, on a terminal and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LEAST = 64_000_000  # bytes; fewer are compared before a person could read a bar


@contextmanager
def weights_progress() -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr while weights are compared; yields what is told how far it is."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from kvcs.render.text import console

    columns = TextColumn("comparing weights"), BarColumn(), DownloadColumn()
    progress = Progress(*columns, console=console(stderr=True), transient=True)
    task = progress.add_task("")

    def report(done: int, total: int) -> None:
        if total >= LEAST:
            progress.start()
            progress.update(task, completed=done, total=total)

    try:
        yield report
    finally:
        progress.stop()
