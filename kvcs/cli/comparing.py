"""`kvcs diff`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from kvcs.cli.options import ascii_option, color_option, output_option, width_option
from kvcs.cli.output import check_output, complain
from kvcs.errors import KvcsError

DIRECTORIES = "kvcs.directories"  # where click keeps what stands behind --, which it drops
GIVEN = "kvcs.given"
LAYOUTS = ("stat", "summary", "name_only", "quiet")
# Options that say how to print, which a command to reproduce a comment does not need.
PRINTED = ("--format", "--color", "--width", "--output", "-o")


class Diff(click.Command):
    """A command that knows its operands from the directories behind `--`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set aside what stands behind `--`, and what was typed as a whole."""
        ctx.meta[GIVEN] = list(args)
        if "--" in args:
            index = args.index("--")
            ctx.meta[DIRECTORIES] = args[index + 1 :]
            args = args[:index]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Name the directories too."""
        return [*super().collect_usage_pieces(ctx), "[-- DIR...]"]


@click.command(cls=Diff)
@click.argument("operands", nargs=-1, metavar="[A [B]]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown", "gitlab", "html"]),
    default="text",
    help="For a person (default), for programs, for a comment on GitHub (markdown) or GitLab, or "
    "for a browser.",
)
@output_option
@click.option("--stat", is_flag=True, help="Print a line for each layer that changed.")
@click.option("--summary", is_flag=True, help="Print a line for each model that changed.")
@click.option("--name-only", is_flag=True, help="Print the paths of changed layers.")
@click.option("--quiet", is_flag=True, help="Print nothing; implies --exit-code.")
@click.option(
    "--only",
    metavar="LEVEL,...",
    help="Look at some levels only: interface, architecture, config, training, weights, state, "
    "notes.",
)
@click.option(
    "--layers",
    multiple=True,
    metavar="GLOB",
    help="Look at layers only whose path on either side matches. May be repeated.",
)
@click.option("--all", "everything", is_flag=True, help="Print also what is folded otherwise.")
@click.option("--no-stats", is_flag=True, help="Do not read weights that changed.")
@click.option(
    "--map",
    "hints",
    multiple=True,
    metavar="OLD=NEW",
    help="Layer OLD of A is layer NEW of B. May be repeated.",
)
@ascii_option
@width_option
@color_option
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the models differ.")
@click.pass_context
def diff(
    context: click.Context,
    /,
    operands: tuple[str, ...],
    form: str,
    output: Path | None,
    only: str | None,
    layers: tuple[str, ...],
    no_stats: bool,
    hints: tuple[str, ...],
    as_ascii: bool,
    width: int | None,
    color: str,
    everything: bool,
    exit_code: bool,
    **layouts: bool,
) -> None:
    """Show what changed from MODEL A to MODEL B: layers, connections, settings, weights.

    A and B can be revisions, as for `git diff`: then every model of the repository is compared, or
    those at or below the directories behind --. A..B is the same as A B, A...B begins at their
    merge base, A alone ends at the working tree, and nothing at all begins at HEAD. One MODEL is
    compared with HEAD, or with what it is now.
    """
    from kvcs.cli import printing
    from kvcs.commands.diff_all import diff_all
    from kvcs.commands.versions import is_model, versions
    from kvcs.render.layout import Look
    from kvcs.render.progress import weights_progress

    layout = _layout(form, layouts)
    check_output(output, form)
    levels = _levels(only)
    found = versions(operands, context.meta.get(DIRECTORIES))
    with weights_progress() as report:
        outcomes = diff_all(
            found,
            hints=_hints(hints),
            stats=not no_stats,
            numbers=not layout and (not levels or "weights" in levels),
            histograms=form == "html",
            alone=form == "html",
            levels=levels,
            layers=layers,
            report=report,
        )
    alone = len(operands) == 2 and any(map(is_model, operands))
    if form == "json" and layout != "quiet":
        printing.as_json(outcomes, alone and DIRECTORIES not in context.meta, output)
    elif form in ("markdown", "gitlab") and layout != "quiet":
        command = _command(context.meta[GIVEN])
        printing.as_markdown(
            outcomes, command, output, flavour="gitlab" if form == "gitlab" else "github"
        )
    elif form == "html" and layout != "quiet":
        printing.as_html(outcomes, _command(context.meta[GIVEN]), output)
    elif layout != "quiet":
        look = Look(ascii=as_ascii, width=width or printing.columns(), everything=everything)
        printing.as_text(outcomes, layout, look, color)
    for sentence in dict.fromkeys(each for one in outcomes for each in one.complaints):
        complain(sentence)
    differ = any(outcome.differs for outcome in outcomes)
    failed = any(outcome.failed for outcome in outcomes)
    sys.exit(2 if failed else 1 if (exit_code or layout == "quiet") and differ else 0)


def _layout(form: str, options: dict[str, bool]) -> str:
    given = [name for name in LAYOUTS if options[name]]
    names = [f"--{name.replace('_', '-')}" for name in given]
    if len(given) > 1:
        raise KvcsError(f"{names[0]} and {names[1]} cannot be printed at once: give one of them")
    if given and form != "text" and given != ["quiet"]:
        raise KvcsError(f"{names[0]} is printed as text: leave out --format {form}")
    return given[0] if given else ""


def _levels(given: str | None) -> list[str]:
    from kvcs.comparison import LEVELS

    levels = [] if given is None else [level.strip() for level in given.split(",")]
    for level in levels:
        if level not in LEVELS:
            raise KvcsError(f"--only wants some of {', '.join(LEVELS)}, not {level!r}")
    return levels


def _hints(given: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for hint in given:
        old, mark, new = hint.partition("=")
        if not (old and mark and new):
            raise KvcsError(f"--map wants OLD=NEW with paths of layers, not {hint!r}")
        if old in found:
            raise KvcsError(f"--map {old} is given twice; a layer has one partner")
        found[old] = new
    return found


def _command(given: Sequence[str]) -> list[str]:
    """Return what was typed, without how it is to be printed."""
    found = ["kvcs", "diff"]
    skipped = False
    for word in given:
        if not skipped and word not in PRINTED and not word.startswith(
            (*(f"{option}=" for option in PRINTED), "-o")
        ):  # fmt: skip
            found.append(word)
        skipped = not skipped and word in PRINTED
    return found
