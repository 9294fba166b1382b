"""Commands that make, check and show one stored model."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

from kvcs.cli.options import (
    allow_option,
    import_option,
    json_option,
    output_option,
    page_option,
    unsafe_option,
)
from kvcs.cli.output import (
    check_output,
    complain,
    deliver,
    json_text,
    present,
    print_json,
    say,
)
from kvcs.errors import KvcsError


@click.command()
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
@allow_option
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
    allow: tuple[str, ...],
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
        allow=allow,
        safe_mode=not unsafe,
        compile=not no_compile,
        weights=weights,
    )
    if as_json:
        print_json(asdict(found))
        return
    say(
        f"{directory}: {len(found.written)} files written, {len(found.kept)} unchanged, "
        f"{len(found.removed)} removed"
    )


@click.command()
@click.argument("model")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE.keras"
)
@import_option
@allow_option
@unsafe_option
def checkout(
    model: str, output: Path, imports: tuple[str, ...], allow: tuple[str, ...], unsafe: bool
) -> None:
    """Write MODEL as a file that Keras reads; the working tree stays as it is."""
    from kvcs.commands.checkout import checkout as run_checkout

    run_checkout(model, output, imports=imports, allow=allow, safe_mode=not unsafe)
    say(f"wrote {output}")


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--signed",
    is_flag=True,
    help="Also let git check who signed REV: the tag, if it is an annotated one, or the commit.",
)
@json_option
def verify(models: tuple[str, ...], signed: bool, as_json: bool) -> None:
    """Check every checksum of MODEL; without one, of every model below the current directory."""
    from kvcs.commands.operand import models_below
    from kvcs.commands.verify import verify as run_verify

    operands = models or tuple(path.as_posix() for path in models_below(Path()))
    if not operands:
        raise KvcsError("no model directory here or below: name one, or REV:DIR")
    reports, errors = [], []
    for operand in operands:
        try:
            reports.append(run_verify(operand, signed=signed))
        except KvcsError as error:  # must not hide what is wrong with the others
            errors.append(str(error))
            continue
        if not as_json:
            from kvcs.render import text

            present(text.report(reports[-1]))
    if as_json:
        print_json([asdict(report) | {"whole": not report.problems} for report in reports])
    for sentence in errors:
        complain(sentence)
    sys.exit(2 if errors else 0 if all(reports) else 1)


@click.command()
@click.argument("model")
@click.option(
    "--part",
    type=click.Choice(["architecture", "weights", "state", "whole"]),
    help="Print this digest alone.",
)
@click.option(
    "--manifest",
    "as_manifest",
    is_flag=True,
    help="Print the SHA-256 of each file, as a statement that tools for signing models take.",
)
@json_option
def digest(model: str, part: str | None, as_manifest: bool, as_json: bool) -> None:
    """Print the digests of MODEL: architecture, weights, state, whole."""
    from kvcs.commands.digest import digests, manifest

    if part and as_manifest:
        raise click.UsageError("--part and --manifest exclude each other")
    if as_manifest:
        print_json(manifest(model))
        return
    found = digests(model)
    if as_json:
        print_json(asdict(found))
    elif part:
        say(asdict(found)[part])
    else:
        from kvcs.render import text

        present(text.digests(found))


@click.command()
@click.argument("model")
@page_option
@output_option
@json_option
def show(model: str, form: str, output: Path | None, as_json: bool) -> None:
    """Show the layers of MODEL in a table, like model.summary(), without Keras."""
    from kvcs.commands.show import page
    from kvcs.commands.show import show as run_show

    form = "json" if as_json else form
    check_output(output, form)
    if form == "html":
        deliver(page(model), output)
        return
    found = run_show(model)
    if form == "json":
        deliver(json_text(asdict(found)), output)
        return
    from kvcs.render import text

    present(text.summary(found))
