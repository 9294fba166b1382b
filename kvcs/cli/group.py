"""The command that all others belong to."""

from __future__ import annotations

import click

from kvcs import __version__
from kvcs.cli.checking import check
from kvcs.cli.ci import ci
from kvcs.cli.committing import commit
from kvcs.cli.comparing import diff
from kvcs.cli.demo import demo
from kvcs.cli.driving import driver
from kvcs.cli.history import blame, find, log
from kvcs.cli.models import checkout, digest, export, show, verify
from kvcs.cli.setting_up import doctor, hook, init


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.version_option(__version__, prog_name="kvcs")
@click.pass_context
def main(context: click.Context) -> None:
    """Version Keras models with git: commit them, review them, restore them.

    MODEL is a model directory, REV:DIR as in git (v1.0:models/mnist, HEAD~3:models/mnist,
    :models/mnist for the index), or a .keras or .h5 file.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)


for command in (
    blame,
    check,
    ci,
    checkout,
    commit,
    demo,
    diff,
    digest,
    doctor,
    driver,
    export,
    find,
    hook,
    init,
    log,
    show,
    verify,
):
    main.add_command(command)
