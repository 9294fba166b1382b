"""The command line: arguments in, a command called, its result printed, an exit code out.

Exit codes: 0 done; 1 damage found; 2 could not run, with one line that says what to do; 130
interrupted. Only errors that kvcs raises on purpose become such a line: a bug keeps its traceback.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from kvcs import KvcsError, __version__

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
import_option = click.option(
    "--import",
    "imports",
    multiple=True,
    metavar="MODULE",
    help="Import MODULE first, which registers custom classes. May be repeated.",
)
unsafe_option = click.option(
    "--unsafe",
    is_flag=True,
    help="Also load what can run code from the model, such as a lambda.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kvcs")
def main() -> None:
    """Version Keras models with git: commit them, review them, restore them.

    MODEL is a model directory, REV:DIR as in git (v1.0:models/mnist, HEAD~3:models/mnist,
    :models/mnist for the index), or a .keras or .h5 file.
    """


@main.command()
@click.argument("source")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--no-optimizer", is_flag=True, help="Leave the optimizer's variables out.")
@import_option
@unsafe_option
@json_option
def export(
    source: str,
    directory: Path,
    no_optimizer: bool,
    imports: tuple[str, ...],
    unsafe: bool,
    as_json: bool,
) -> None:
    """Write SOURCE as the model directory DIRECTORY.

    SOURCE is a .keras or .h5 file, or package.module:factory for a function that returns a model.
    """
    from kvcs.commands.export import export as run_export

    found = run_export(
        source, directory, optimizer=not no_optimizer, imports=imports, safe_mode=not unsafe
    )
    if as_json:
        _print_json(asdict(found))
        return
    click.echo(
        f"{directory}: {len(found.written)} files written, {len(found.kept)} unchanged, "
        f"{len(found.removed)} removed"
    )


@main.command()
@click.argument("directories", nargs=-1, type=click.Path(path_type=Path), metavar="[DIR]...")
@click.option("-m", "--message", required=True, metavar="MSG", help="The commit message.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAME=VALUE",
    help="A number to keep with the commit, as a trailer. May be repeated.",
)
@json_option
def commit(
    directories: tuple[Path, ...], message: str, metrics: tuple[str, ...], as_json: bool
) -> None:
    """Commit model directories, and nothing else; without DIR, every model of the repository."""
    from kvcs.commands.commit import commit_directories

    found = commit_directories(directories, message, _metrics(metrics))
    if as_json:
        _print_json({"commit": found})
    elif found is None:
        click.echo("nothing to commit: no model changed")
    else:
        click.echo(f"committed {found}")


def _metrics(given: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for metric in given:
        name, equals, value = metric.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            equals = ""
        if not equals:
            raise click.BadParameter(f"expected NAME=VALUE with a number, got {metric!r}")
    return found


@main.command()
@click.argument("model")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE.keras"
)
@import_option
@unsafe_option
def checkout(model: str, output: Path, imports: tuple[str, ...], unsafe: bool) -> None:
    """Write MODEL as a file that Keras reads; the working tree stays as it is."""
    from kvcs.commands.checkout import checkout as run_checkout

    run_checkout(model, output, imports=imports, safe_mode=not unsafe)
    click.echo(f"wrote {output}")


@main.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@json_option
def verify(models: tuple[str, ...], as_json: bool) -> None:
    """Check every checksum of MODEL; without one, of every model below the current directory."""
    from kvcs.commands.operand import models_below
    from kvcs.commands.verify import verify as run_verify

    operands = models or tuple(map(_relative, models_below(Path.cwd())))
    if not operands:
        raise KvcsError("no model directory here or below: name one, or REV:DIR")
    reports = [run_verify(operand) for operand in operands]
    if as_json:
        _print_json([asdict(report) | {"whole": bool(report)} for report in reports])
    else:
        from kvcs.render import text

        console = text.console()
        for report in reports:
            console.print(text.report(report), soft_wrap=True)
    sys.exit(0 if all(reports) else 1)


def _relative(path: Path) -> str:
    return path.relative_to(Path.cwd()).as_posix()


@main.command()
@click.argument("model")
@click.option(
    "--part",
    type=click.Choice(["architecture", "weights", "state", "whole"]),
    help="Print this digest alone.",
)
@json_option
def digest(model: str, part: str | None, as_json: bool) -> None:
    """Print the digests of MODEL: architecture, weights, state, whole."""
    from kvcs.commands.digest import digests

    found = digests(model)
    if as_json:
        _print_json(asdict(found))
    elif part:
        click.echo(asdict(found)[part])
    else:
        from kvcs.render import text

        text.console().print(text.digests(found), soft_wrap=True)


@main.command()
@click.argument("model")
@json_option
def show(model: str, as_json: bool) -> None:
    """Show the layers of MODEL in a table, like model.summary(), without Keras."""
    from kvcs.commands.show import show as run_show

    found = run_show(model)
    if as_json:
        _print_json(asdict(found))
        return
    from kvcs.render import text

    text.console().print(text.summary(found))


@main.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
def demo(directory: Path | None) -> None:
    """Train, commit, change and restore a small network in DIRECTORY (default: kvcs-demo)."""
    from kvcs.commands.demo import demo as run_demo

    run_demo(directory or Path("kvcs-demo"), say=click.echo)


def _print_json(value: Any) -> None:
    import json

    click.echo(json.dumps(value, indent=2, sort_keys=True, default=str))


def run() -> None:
    """Run the command line and exit."""
    # TensorFlow prints pages of notices unless it is told not to before it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        main(standalone_mode=False)
    except KvcsError as error:
        click.echo(f"kvcs: {_one_line(str(error))}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("kvcs: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader went away (`kvcs show … | head`): there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _one_line(text: str) -> str:
    return " ".join(text.split())
