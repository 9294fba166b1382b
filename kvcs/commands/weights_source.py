"""The weights of a model from a file that holds nothing else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from kvcs.commands.load import load
from kvcs.commands.operand import what_stands_at
from kvcs.commands.save import save
from kvcs.commands.saved import opened_model, start_keras_for
from kvcs.errors import OperandError
from kvcs.keras_files import NeedsKerasError
from kvcs.tree import writer
from kvcs.workdir import Replaced, replace

WEIGHTS = ".weights.h5"  # the ending that Keras asks for


def export_weights(
    source: str,
    directory: str | os.PathLike[str],
    architecture: str | None,
    *,
    optimizer: bool,
    allow: Sequence[str],
    safe_mode: bool,
) -> Replaced:
    """Write a stored model with the weights of a file.

    Args:
        source: a `.weights.h5` file.
        directory: the model directory to write.
        architecture: the model whose weights they are; by default what stands in `directory`.
        optimizer: also write the optimizer's variables.
        allow: modules whose classes the model may name.
        safe_mode: refuse to load what can run code from the model.

    Raises:
        OperandError: there is no such model.
        RestoreError: the file is damaged, or does not fit the model.
    """
    from kvcs.keras_files import weights_file

    if architecture is None and what_stands_at(directory) == "nothing":
        raise OperandError(
            f"{source} holds weights and no model: name the model they are of with "
            "--architecture MODEL"
        )
    model = os.fspath(directory) if architecture is None else architecture
    try:
        with (
            opened_model(model) as stored,
            weights_file.opened(
                source, stored.model, stored.contents, optimizer=optimizer
            ) as found,
        ):
            return replace(Path(directory), writer.files(found.model, found.contents))
    except NeedsKerasError as error:
        start_keras_for(source, error)
        from kvcs.keras_files.inspecting import check_arrays
        from kvcs.keras_io.files import load_weights

        live = load(model, allow=allow, safe_mode=safe_mode)
        check_arrays(source)
        load_weights(live, source)
        return save(live, directory, optimizer=optimizer)
