"""The hook `prepare-commit-msg`: a line for each model that changed, under the message.

As comments, which git takes away again, unless `kvcs.summary` is `text`. A comment is only written
where somebody will see it and git will remove it: with an editor, and with a cleanup that does so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kvcs.commands.hooks.hook import Outcome
from kvcs.commands.hooks.touched import touched
from kvcs.errors import OperandError

if TYPE_CHECKING:
    from kvcs.repo import Repository

# The pre-commit framework hands on what git's second argument was.
_OF_PRE_COMMIT = "PRE_COMMIT_COMMIT_MSG_SOURCE"

_MANIFEST = re.compile(r"(^|/)model\.json$")

# While one of these is in git's directory, messages are those of commits that there are already.
_UNDER_WAY = ("rebase-merge", "rebase-apply", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")


def prepare_commit_msg(arguments: Sequence[str]) -> Outcome:
    """Write what changed into the file that holds the message.

    Args:
        arguments: the file; then where the message comes from, and a commit.

    Raises:
        KvcsError: the file or the repository cannot be read.
    """
    if not arguments:
        raise OperandError("prepare-commit-msg wants the file with the message")
    source = arguments[1] if len(arguments) > 1 else os.environ.get(_OF_PRE_COMMIT, "")
    if source in ("merge", "squash", "commit"):
        return Outcome()
    from kvcs.repo import Repository

    with Repository.discover() as repository:
        if any((repository.git_dir / name).exists() for name in _UNDER_WAY):
            return Outcome()
        kind = _kind(repository)
        if kind == "none":
            return Outcome()
        lines = list(_summary(repository))
        if lines:
            _write(repository, Path(arguments[0]), lines, as_text=kind == "text")
    return Outcome()


def _kind(repository: Repository) -> str:
    from kvcs.repo.setup import settings

    kind = settings.get(repository.git, "kvcs.summary") or "comment"
    if kind not in ("comment", "text", "none"):
        raise OperandError(f"kvcs.summary is {kind!r}: expected comment, text or none")
    # With `:` for an editor git tells that there will be none; a comment would stay then.
    stays = os.environ.get("GIT_EDITOR") == ":" or (
        settings.get(repository.git, "commit.cleanup") in ("verbatim", "whitespace")
    )
    return "none" if kind == "comment" and stays else kind


def _summary(repository: Repository) -> Iterator[str]:
    from kvcs.repo import changes

    found = changes.staged(repository.git)
    models = touched(repository, (change.path for change in found)).models
    gone = [change.path for change in found if not change.object_id]
    inside = tuple(f"{place}/" if place else "" for place in models)
    lost = [path for path in gone if _MANIFEST.search(path) and not path.startswith(inside)]
    removed = _removed(repository, lost)
    if not models and not removed:
        return
    from kvcs.errors import KvcsError
    from kvcs.render import summary

    for place in models:
        try:
            yield _line(repository, place)
        except KvcsError:  # what is wrong with it is the business of another hook
            yield f"{place or '.'}: not whole as it is staged"
    for place in removed:
        yield summary.removed(place)


def _line(repository: Repository, place: str) -> str:
    from kvcs.render import summary

    new, name = f":{place}", place or "."
    if _in_head(repository, place) is None:
        from kvcs.commands.show import show

        shown = show(new)
        return summary.added(name, len(shown.rows), shown.parameters)
    from kvcs.commands.diff import diff

    return summary.changed(name, diff(f"HEAD:{place}", new, stats=False).diff)


def _in_head(repository: Repository, place: str) -> bytes | None:
    """Return the manifest of a model in HEAD."""
    from kvcs.errors import KvcsError

    try:
        return repository.revision(f"HEAD:{place}").get("model.json")
    except KvcsError:
        return None


def _removed(repository: Repository, manifests: list[str]) -> list[str]:
    """Return the models whose manifests are gone, without those inside of others."""
    found: list[str] = []
    for place in sorted(path.rpartition("/")[0] for path in manifests):
        if any(place.startswith(f"{outer}/") for outer in found):
            continue
        from kvcs.commands.operand import is_manifest

        if is_manifest(_in_head(repository, place) or b""):
            found.append(place)
    return found


def _write(repository: Repository, path: Path, lines: list[str], *, as_text: bool) -> None:
    from kvcs.repo.setup import prepared

    try:
        content = path.read_bytes()
        parts = prepared.take_apart(repository.git, content)
        if parts is not None:
            new = parts.with_text(repository.git, lines) if as_text else parts.with_comment(lines)
            path.write_bytes(content if new is None else new)
    except OSError as error:
        raise OperandError(f"could not write {path}: {error.strerror}") from error
