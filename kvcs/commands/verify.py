"""`kvcs.verify`: is a stored model whole, and who signed it?"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from kvcs.commands.fetching import fetch
from kvcs.commands.operand import Model, has_layers, opened, what_stands_at
from kvcs.errors import DamageError, NotAModelError, OperandError
from kvcs.tree.reader import Problem
from kvcs.tree.verify import Report
from kvcs.tree.verify import verify as verify_files
from kvcs.tree.writer import MANIFEST

if TYPE_CHECKING:
    from kvcs.repo.signatures import Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedReport(Report):
    """A report on a revision whose signature was asked for. True when both are good.

    Attributes:
        signature: who signed the commit, or the tag, and how good that is.
    """

    signature: Signature

    def __bool__(self) -> bool:
        return not self.problems and bool(self.signature)


def verify(operand: Model, *, signed: bool = False) -> Report:
    """Check every checksum of a stored model; Keras is not needed.

    Of a tensor that Git LFS keeps and that is not on this machine, the pointer is checked.

    Args:
        operand: a model directory or `REV:DIR`.
        signed: also let git check the signature of REV: of the tag, if it names an annotated one,
            else of the commit.

    Returns:
        A report, true when the model is whole; else `report.problems` says what is wrong. With
        `signed`, true when the signature is good as well: see `report.signature`.

    Raises:
        OperandError: there is no such model; or, with `signed`, it is in no commit.
        RepositoryError: git cannot check signatures here.
    """
    if signed:
        return _verify_signed(operand)
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
        return _unlisted(os.fspath(operand), error)


def _unlisted(name: str, error: DamageError) -> Report:
    problem = Problem(kind="invalid", path=".", layer="", message=str(error))
    return Report(name=name, files=0, problems=(problem,))


def _verify_signed(operand: Model) -> SignedReport:
    from kvcs.repo import Repository

    name = _of_revision(operand)
    # Not what `git replace` shows in its place, which no signature covers.
    with Repository.discover(genuine=True) as repository:
        revision, path = repository.spec(name)
        if not revision:
            raise OperandError(f"'{name}' is in the index, and only commits and tags are signed")
        signature = repository.signature(revision)
        try:
            # By its hash: a branch can move meanwhile.
            files = repository.revision(f"{signature.object_id}:{path}")
            fetch(files, pointed=False)
            report = verify_files(files, name)
        except DamageError as error:
            report = _unlisted(name, error)
    known = {field.name: getattr(report, field.name) for field in fields(report)}
    return SignedReport(**known, signature=signature)


def _of_revision(operand: Model) -> str:
    name = os.fspath(operand) if isinstance(operand, str | os.PathLike) else ""
    if ":" not in name or "\0" in name or what_stands_at(name) != "nothing":
        raise OperandError(
            f"{name or 'a live model'} is in no commit, and only commits and tags are signed: "
            "name REV:DIR, as in HEAD:models/mnist"
        )
    return name
