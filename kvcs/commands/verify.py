"""`kvcs.verify`: is a stored model whole?"""

from __future__ import annotations

import os
from pathlib import Path

from kvcs.commands.fetching import fetch
from kvcs.commands.operand import Model, has_layers, opened
from kvcs.errors import DamageError, NotAModelError
from kvcs.tree.reader import Problem
from kvcs.tree.verify import Report
from kvcs.tree.verify import verify as verify_files
from kvcs.tree.writer import MANIFEST


def verify(operand: Model) -> Report:
    """Check every checksum of a stored model; Keras is not needed.

    Of a tensor that Git LFS keeps and that is not on this machine, the pointer is checked.

    Args:
        operand: a model directory or `REV:DIR`.

    Returns:
        A report, true when the model is whole; else `report.problems` says what is wrong.

    Raises:
        OperandError: there is no such model.
    """
    try:
        with opened(operand) as stored:
            fetch(stored.files, pointed=False)
            return verify_files(stored.files, stored.name)
    except NotAModelError:
        if not has_layers(Path(os.fspath(operand))):
            raise
        problem = Problem(kind="missing", path=MANIFEST, layer="", message="missing")
        return Report(name=os.fspath(operand), files=0, problems=(problem,))
    except DamageError as error:  # something in it is no file, such as a symbolic link
        problem = Problem(kind="invalid", path=".", layer="", message=str(error))
        return Report(name=os.fspath(operand), files=0, problems=(problem,))
