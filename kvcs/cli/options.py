"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
page_option = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    help="For a person (default), for programs, or for a browser.",
)
output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write it to FILE, whole or not at all, instead of printing it.",
)
import_option = click.option(
    "--import",
    "imports",
    multiple=True,
    metavar="MODULE",
    help="Import MODULE first, whose classes the model may name. May be repeated.",
)
allow_option = click.option(
    "--allow",
    "allow",
    multiple=True,
    metavar="MODULE",
    help="Trust the classes of MODULE, such as keras_hub, if the model names any. May be repeated.",
)
unsafe_option = click.option(
    "--unsafe",
    is_flag=True,
    help="Also load what is not known, and can run code from the model, such as a lambda.",
)
ascii_option = click.option("--ascii", "as_ascii", is_flag=True, help="Print nothing but ASCII.")
width_option = click.option(
    "--width", type=click.IntRange(min=40), metavar="N", help="Columns of a line. [default: found]"
)
color_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colours: on a terminal (default), or whatever it is.",
)
