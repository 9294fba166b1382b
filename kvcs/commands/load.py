"""`kvcs.load`: a directory, a revision or a Keras file into a live model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from kvcs.commands.fetching import fetch
from kvcs.commands.operand import Model, is_live, is_saved_file, opened


def load(
    operand: Model,
    *,
    custom_objects: Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    compile: bool = True,  # noqa: A002  (Keras' own word for it)
    safe_mode: bool = True,
) -> Any:
    """Return a stored model as a live Keras model.

    A revision is read straight from git's objects; the working tree stays as it is. Every
    checksum is verified before a byte reaches Keras. What Git LFS or a partial clone left elsewhere
    is fetched in one go.

    Args:
        operand: a model directory, `REV:DIR`, or a file that Keras 3 or 2 saved.
        custom_objects: classes and functions by name, as for `keras.models.load_model`.
        allow: modules, such as `keras_hub`, whose classes a model may name; they are imported
            when it does.
        compile: compile the model as it was, and restore its optimizer.
        safe_mode: refuse what is neither Keras' own nor given, and could run code from the model,
            such as a lambda.

    Raises:
        OperandError: there is no such model.
        DamageError: it is not whole.
        RefusedError: it names something that is neither known nor given; the text says where.
        RepositoryError: part of it is not on this machine, and cannot be fetched.
        RestoreError: it cannot be built here; the text names the layer.
    """
    if is_live(operand):
        return operand
    if is_saved_file(operand):
        from kvcs.keras_files.inspecting import inspected

        configs = inspected(os.fspath(operand))
        from kvcs.keras_io.files import load_file

        return load_file(
            os.fspath(operand),
            configs,
            custom_objects=custom_objects,
            allow=allow,
            compile=compile,
            safe_mode=safe_mode,
        )
    with opened(operand) as stored:
        fetch(stored.files, optimizer=compile)
        model = stored.model()
        if safe_mode:
            from kvcs.keras_files.declared import check_sizes

            check_sizes(model)
        from kvcs.keras_io.restore import restore

        return restore(
            model,
            stored.contents(model),
            custom_objects=custom_objects,
            allow=allow,
            compile=compile,
            safe_mode=safe_mode,
        )
