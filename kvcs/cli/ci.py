"""`kvcs ci`: what a pipeline calls."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from kvcs.cli.checking import exit_code, fail_on_option
from kvcs.cli.output import command, present, say

RESULTS = "kvcs-review"


@click.group()
def ci() -> None:
    """Review models in a pipeline of GitHub or GitLab.

    Two steps: `analyse` needs no token, `comment` no repository. docs/ci.md tells why.
    """


@ci.command()
@click.option("--base", default="", metavar="REV", envvar="KVCS_BASE", help="The old side.")
@click.option("--head", default="", metavar="REV", envvar="KVCS_HEAD", help="The new side.")
@click.option(
    "--path",
    "paths",
    multiple=True,
    metavar="DIR",
    help="Look only at models at or below DIR. May be repeated; or KVCS_PATHS, one in each line.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=RESULTS,
    show_default=True,
    metavar="DIR",
    envvar="KVCS_OUTPUT",
    help="Where to write comment, summary, report, SARIF and JSON.",
)
@fail_on_option
def analyse(base: str, head: str, paths: tuple[str, ...], output: Path, fail_on: str) -> None:
    """Compare what the pipeline is about, and judge it by .kvcs.toml.

    Without --base and --head, the event of the pull request or merge request says what to compare.
    """
    from kvcs.cli import printing
    from kvcs.commands.ci.analyse import analyse as run
    from kvcs.render import check as check_text
    from kvcs.render import check_github
    from kvcs.render.check_words import verdict
    from kvcs.render.layout import Look
    from kvcs.render.progress import weights_progress

    given = paths or tuple(filter(None, os.environ.get("KVCS_PATHS", "").splitlines()))
    with weights_progress() as progress:
        found = run(output, os.environ, base=base, head=head, paths=given, progress=progress)
    if os.environ.get("GITHUB_ACTIONS"):
        for line in check_github.lines(found.report):
            command(line)
        say(verdict(found.report))
    else:
        for part in check_text.laid_out(found.report, Look(width=printing.columns())):
            present(part)
    sys.exit(exit_code(found.report, fail_on))


@ci.command()
@click.argument("directory", type=click.Path(path_type=Path), default=RESULTS)
def comment(directory: Path) -> None:
    """Post the comment that `analyse` left in DIRECTORY, or write it anew."""
    from kvcs.commands.ci.comment import comment as run

    say(run(directory, os.environ))
