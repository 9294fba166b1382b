"""`kvcs demo`."""

from __future__ import annotations

from pathlib import Path

import click

from kvcs.cli.output import say


@click.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
def demo(directory: Path | None) -> None:
    """Train, commit, change and restore a small network in DIRECTORY (default: kvcs-demo)."""
    from kvcs.commands.demo import demo as run_demo

    run_demo(directory or Path("kvcs-demo"), say=say)
