"""`kvcs check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kvcs import __version__
from kvcs.cli.comparing import DIRECTORIES, Diff
from kvcs.cli.options import ascii_option, color_option, width_option
from kvcs.cli.output import command, present, print_json

if TYPE_CHECKING:
    from kvcs.rules import Report

fail_on_option = click.option(
    "--fail-on",
    type=click.Choice(["blocked", "review", "never"]),
    default="blocked",
    envvar="KVCS_FAIL_ON",
    help="Exit with 1 when the review status is that, or worse. [default: blocked]",
)


def exit_code(report: Report, fail_on: str) -> int:
    """Return the exit code that a review status stands for."""
    failing = {"blocked": ("blocked",), "review": ("blocked", "review")}.get(fail_on, ())
    return int(report.status in failing)


@click.command(cls=Diff)
@click.argument("operands", nargs=-1, metavar="[A [B]]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    help="For a person (default), for programs, for code scanning, or as annotations of GitHub "
    "Actions.",
)
@click.option(
    "--rules",
    type=click.Path(),
    metavar="FILE",
    help="Use the rules in FILE, not those of the old side.",
)
@fail_on_option
@click.option("--all", "everything", is_flag=True, help="Print also what is folded otherwise.")
@ascii_option
@width_option
@color_option
@click.pass_context
def check(
    context: click.Context,
    /,
    operands: tuple[str, ...],
    form: str,
    rules: str | None,
    fail_on: str,
    everything: bool,
    as_ascii: bool,
    width: int | None,
    color: str,
) -> None:
    """Tell whether a change from A to B keeps the rules in .kvcs.toml.

    A and B are what they are for `kvcs diff`; of A...B, the rules are those of A. Exits with 1 when
    the change is blocked.
    """
    from kvcs.cli import printing
    from kvcs.commands.check import check_all
    from kvcs.render import check as render
    from kvcs.render import check_github, check_sarif
    from kvcs.render.layout import Look
    from kvcs.render.progress import weights_progress

    with weights_progress() as progress:
        directories = context.meta.get(DIRECTORIES)
        report = check_all(operands, directories, rules=rules, progress=progress)
    if form == "json":
        print_json(report.to_dict())
    elif form == "sarif":
        print_json(check_sarif.document(report, __version__))
    elif form == "github":
        for line in check_github.lines(report):
            command(line)
    else:
        width = width or printing.columns()
        look = Look(ascii=as_ascii, width=width, everything=everything)
        for part in render.laid_out(report, look):
            present(part, color)
    sys.exit(exit_code(report, fail_on))
