"""The command line: arguments in, a command called, its result printed, an exit code out.

Exit codes: 0 done; 1 damage found; 2 could not run, with one line that says what to do; 130
interrupted; 141 nobody reads the output any more. Only errors that kvcs raises on purpose become
such a line: a bug keeps its traceback (and exits with 2, for 1 would say that damage was found).
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from kvcs import KvcsError, __version__

if TYPE_CHECKING:
    from rich.console import RenderableType

    from kvcs.commands.diff import Comparison
    from kvcs.commands.versions import Versions

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


@main.command()
@click.argument("source")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--weights",
    metavar="FILES",
    help="With a .json file: a pattern of .npy files in the order of model.get_weights(), a .h5 "
    "file, or `fresh` for initial ones.",
)
@click.option("--no-optimizer", is_flag=True, help="Leave the optimizer's variables out.")
@click.option("--no-compile", is_flag=True, help="Leave out what the model was compiled with.")
@click.option(
    "--architecture",
    metavar="MODEL",
    help="For a .weights.h5 file, the model whose weights it holds. Default: that in DIRECTORY.",
)
@import_option
@unsafe_option
@json_option
def export(
    source: str,
    directory: Path,
    weights: str | None,
    no_optimizer: bool,
    no_compile: bool,
    architecture: str | None,
    imports: tuple[str, ...],
    unsafe: bool,
    as_json: bool,
) -> None:
    """Write SOURCE as the model directory DIRECTORY.

    SOURCE is a .keras or .h5 file of Keras 3 or 2, the JSON of a model (a .json file) with its
    weights, or package.module:factory for a function that returns a model; or a .weights.h5 file,
    whose arrays take the place of those of a stored MODEL.
    """
    from kvcs.commands.export import export as run_export

    found = run_export(
        source,
        directory,
        optimizer=not no_optimizer,
        architecture=architecture,
        imports=imports,
        safe_mode=not unsafe,
        compile=not no_compile,
        weights=weights,
    )
    if as_json:
        _print_json(asdict(found))
        return
    _say(
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
        _say("nothing to commit: no model changed")
    else:
        _say(f"committed {found}")


def _metrics(given: tuple[str, ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in given:
        name, _, value = metric.partition("=")
        if name in found:
            raise KvcsError(f"--metric {name} is given twice; a commit has one value of a metric")
        try:
            found[name] = float(value)
        except ValueError:
            raise KvcsError(f"--metric wants NAME=VALUE with a number, not {metric!r}") from None
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
    _say(f"wrote {output}")


@main.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@json_option
def verify(models: tuple[str, ...], as_json: bool) -> None:
    """Check every checksum of MODEL; without one, of every model below the current directory."""
    from kvcs.commands.operand import models_below
    from kvcs.commands.verify import verify as run_verify

    operands = models or tuple(path.as_posix() for path in models_below(Path()))
    if not operands:
        raise KvcsError("no model directory here or below: name one, or REV:DIR")
    reports, errors = [], []
    for operand in operands:
        try:
            reports.append(run_verify(operand))
        except KvcsError as error:  # must not hide what is wrong with the others
            errors.append(str(error))
            continue
        if not as_json:
            from kvcs.render import text

            _print(text.report(reports[-1]))
    if as_json:
        _print_json([asdict(report) | {"whole": bool(report)} for report in reports])
    for sentence in errors:
        _complain(sentence)
    sys.exit(2 if errors else 0 if all(reports) else 1)


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
        _say(asdict(found)[part])
    else:
        from kvcs.render import text

        _print(text.digests(found))


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

    _print(text.summary(found))


@main.command()
@click.argument("operands", nargs=-1, metavar="[A [B]]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    help="For a person (default), or for programs.",
)
@click.option("--stat", is_flag=True, help="Print the kinds of changes of each layer.")
@click.option("--name-only", is_flag=True, help="Print the paths of changed layers.")
@click.option("--no-stats", is_flag=True, help="Do not read weights that changed.")
@click.option(
    "--map",
    "hints",
    multiple=True,
    metavar="OLD=NEW",
    help="Layer OLD of A is layer NEW of B. May be repeated.",
)
@click.option("--ascii", "as_ascii", is_flag=True, help="Print nothing but ASCII.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when the models differ.")
def diff(
    operands: tuple[str, ...],
    form: str,
    stat: bool,
    name_only: bool,
    no_stats: bool,
    hints: tuple[str, ...],
    as_ascii: bool,
    exit_code: bool,
) -> None:
    """Show what changed from MODEL A to MODEL B: layers, connections, settings, weights.

    A and B can be revisions, as for `git diff`: then every model of the repository is compared.
    A..B is the same as A B, A...B begins at their merge base, A alone ends at the working tree,
    and nothing at all begins at HEAD. One MODEL is compared with HEAD, or with what it is now.
    """
    from kvcs.commands.versions import is_model, versions

    options = {"map": _hints(hints), "stats": not (no_stats or stat or name_only)}
    found, errors = _compared(versions(operands), options)
    if form == "json":
        documents = [_document(each, comparison) for each, comparison in found]
        alone = len(operands) == 2 and any(map(is_model, operands))
        _print_json(documents[0]["diff"] if alone and documents else documents)
    else:
        layout = "names" if name_only else "stat" if stat else "lines"
        _print_diffs(found, layout, as_ascii)
    for sentence in errors:
        _complain(sentence)
    differ = any(comparison is None or comparison for _, comparison in found)
    sys.exit(2 if errors else 1 if exit_code and differ else 0)


def _compared(
    versions: list[Versions], options: dict[str, Any]
) -> tuple[list[tuple[Versions, Comparison | None]], list[str]]:
    """Compare all that can be compared; None is the comparison of what one side lacks."""
    from kvcs.commands.diff import diff as run_diff

    found: list[tuple[Versions, Comparison | None]] = []
    errors = []
    for each in versions:
        if each.old is None or each.new is None:
            found.append((each, None))
            continue
        try:
            found.append((each, run_diff(each.old, each.new, **options)))
        except KvcsError as error:  # must not hide what changed in the others
            errors.append(str(error))
    return found, errors


def _document(versions: Versions, comparison: Comparison | None) -> dict[str, Any]:
    found = None if comparison is None else comparison.to_dict()
    return {**asdict(versions), "diff": found}


def _print_diffs(
    found: list[tuple[Versions, Comparison | None]], layout: str, as_ascii: bool
) -> None:
    from kvcs.render import diff as render

    for versions, comparison in found:
        if len(found) > 1 and comparison is not None and not comparison.diff.changes:
            continue  # as git diff, which is silent about what is the same
        if comparison is None:
            _print(render.one_sided(versions.name, versions.old, versions.new, ascii=as_ascii))
            continue
        names = comparison.old_name, comparison.new_name
        for line in getattr(render, layout)(comparison.diff, *names, ascii=as_ascii):
            _print(line)


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


@main.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
def demo(directory: Path | None) -> None:
    """Train, commit, change and restore a small network in DIRECTORY (default: kvcs-demo)."""
    from kvcs.commands.demo import demo as run_demo

    run_demo(directory or Path("kvcs-demo"), say=_say)


def _print(what: RenderableType) -> None:
    """Print what `kvcs.render` laid out. Lines outside of tables are not broken, for copying."""
    from kvcs.render import text

    with _printing():
        text.console().print(what, soft_wrap=True)


def _print_json(value: Any) -> None:
    import json

    _say(json.dumps(value, indent=2, sort_keys=True, default=str))


def _say(line: str) -> None:
    with _printing():
        click.echo(line)


@contextmanager
def _printing() -> Iterator[None]:
    """Tell an output that takes no more from what goes wrong in a command."""
    try:
        yield
    except OSError as error:
        # What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            sys.exit(141)  # the reader went away (`kvcs show … | head`): nobody is left to tell
        raise KvcsError(f"could not print all of the output: {error.strerror}") from error


def run() -> NoReturn:
    """Run the command line and exit."""
    # TensorFlow prints pages of notices unless it is told not to before it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _open_streams()
    try:
        sys.exit(main(prog_name="kvcs", standalone_mode=False))
    except KvcsError as error:
        _fail(str(error))
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "kvcs"
        _fail(f"{error.format_message().rstrip('.')}; see `{command} --help`")
    except (click.Abort, KeyboardInterrupt):
        click.echo("kvcs: interrupted", err=True)
        sys.exit(130)
    except Exception:
        sys.excepthook(*sys.exc_info())
        sys.exit(2)


def _fail(sentence: str) -> NoReturn:
    _complain(sentence)
    sys.exit(2)


def _complain(sentence: str) -> None:
    from kvcs.render.text import plain

    line = " ".join(part.strip() for part in sentence.splitlines())
    click.echo(f"kvcs: {plain(line)}", err=True)


def _open_streams() -> None:
    """Make stdin, stdout and stderr usable whatever the caller did to them."""
    # Where one is closed (`2>&-`), the next file to be opened, such as a tensor's, would take its
    # place, and get what libraries print.
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name may hold what its encoding does not
        sys.stdout.reconfigure(errors="backslashreplace")
