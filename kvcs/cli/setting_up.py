"""Commands that set a repository up for models: `kvcs init`, `doctor` and `hook`."""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

import click

from kvcs.cli.options import json_option
from kvcs.cli.output import complain, print_json, say
from kvcs.errors import KvcsError

if TYPE_CHECKING:
    from kvcs.commands.setup.steps import Step


@click.command()
@click.option(
    "--lfs/--no-lfs",
    default=None,
    help="Give tensors to Git LFS, or no longer. Default: as it is.",
)
@click.option(
    "--local", is_flag=True, help="Write drivers to this repository's settings, not to yours."
)
@click.option("--undo", is_flag=True, help="Take everything back that was set up.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done.")
@json_option
def init(lfs: bool | None, local: bool, undo: bool, dry_run: bool, as_json: bool) -> None:
    """Set up this repository for models: attributes, hooks, diff drivers. Twice is as once."""
    if undo and (lfs is not None or local):
        raise KvcsError("--undo takes everything back: give it without --lfs and --local")
    from kvcs.commands.setup import init as command

    if undo:
        steps = command.undo(dry_run=dry_run)
    else:
        steps = command.init(lfs=lfs, local=local, dry_run=dry_run)
    if as_json:
        print_json([{"action": step.action, "what": step.what, "why": step.why} for step in steps])
        return
    for step in steps:
        _say_step(step)
    if not steps:
        say("nothing was set up here")


def _say_step(step: Step) -> None:
    first, *more = step.why.split("\n")
    say(f"{step.action:<8} {step.what}{f': {first}' if first else ''}")
    for line in more:
        say(f"           {line}")


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what is set up in this repository, what is missing, and what mends it."""
    from kvcs.commands.setup.doctor import doctor as run_doctor

    found = run_doctor()
    if as_json:
        print_json([check.to_dict() for check in found])
    else:
        for check in found:
            say(f"{check.state:<8} {check.what}: {check.says}")
            for line in check.mend.splitlines():
                say(f"           {line}")
    sys.exit(1 if any(check.state == "missing" for check in found) else 0)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def hook(name: str, arguments: tuple[str, ...]) -> None:
    """Do the work of git's hook NAME; what `kvcs init` sets up calls this."""
    from kvcs.commands.hooks.hook import STOPPING
    from kvcs.commands.hooks.hook import hook as run_hook

    way_around = STOPPING.get(name)
    try:
        found = run_hook(name, arguments, sys.stdin.read)
    except KvcsError as error:
        complain(f"{error}{f' (`{way_around}` goes on without this)' if way_around else ''}")
        sys.exit(2 if way_around or name not in _KNOWN else 0)
    except Exception as error:
        # A mistake in kvcs must not stop a checkout; a commit that nobody looked at it does.
        if not way_around:
            complain(f"hook {name} failed, which is a mistake in kvcs: {error!r}")
            sys.exit(0)
        traceback.print_exc()
        complain(f"hook {name} failed, which is a mistake in kvcs; `{way_around}` goes on")
        sys.exit(2)
    for line in found.lines:
        from kvcs.render.text import plain

        click.echo(f"kvcs: {plain(line)}", err=True)
    sys.exit(1 if found.stops else 0)


_KNOWN = ("prepare-commit-msg", "post-checkout", "post-merge")
