"""Options that several commands take."""

from __future__ import annotations

import click

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
