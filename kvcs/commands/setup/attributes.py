"""`kvcs init`: the attributes of the files of models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from kvcs.commands.hooks.touched import all_models
from kvcs.commands.setup.steps import Action, Step, top_of
from kvcs.errors import RepositoryError
from kvcs.repo import Repository, changes
from kvcs.repo.place import places_above
from kvcs.repo.setup import attributes
from kvcs.repo.setup.disk import write_whole

ATTRIBUTES_FILE = ".gitattributes"


def read_attributes(top: Path) -> bytes | None:
    """Return the content of `.gitattributes`, None where there is none.

    Raises:
        RepositoryError: it cannot be read, or git would not read it.
    """
    path = top / ATTRIBUTES_FILE
    if path.is_symlink():
        raise RepositoryError(
            f"{path} is a symbolic link, which git does not follow; make it a file."
        )
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RepositoryError(f"{path} cannot be read: {error.strerror}.") from error


def steps(repository: Repository, lfs: bool | None) -> Iterator[Step]:
    """Yield what brings the block of kvcs up to date; `lfs` None is as it was."""
    content = read_attributes(top_of(repository))
    file = attributes.parse(content)
    models = all_models(repository)
    apart = _with_own_rules(repository, models)
    rules = attributes.rules(lfs=file.has_lfs if lfs is None else lfs, apart=apart)
    agreed, left = attributes.agreeable(repository.git_dir, file, rules, models)
    new = file.with_block([rule.line() for rule in agreed]).content()
    if new == content:
        yield Step("kept", ATTRIBUTES_FILE)
    else:
        do = _writing(top_of(repository) / ATTRIBUTES_FILE, new)
        action: Action = "added" if file.block is None else "changed"
        yield Step(action, ATTRIBUTES_FILE, f"{len(agreed)} lines for the files of models", do)
    yield from (Step("left", ATTRIBUTES_FILE, sentence) for sentence in left)
    if lfs and not file.has_lfs and models:
        why = "gives the tensors that git tracks already to Git LFS"
        yield Step("to do", "git add --renormalize .", why)


def has_lfs(repository: Repository) -> bool:
    """Tell whether the block gives tensors to Git LFS."""
    return attributes.parse(read_attributes(top_of(repository))).has_lfs


def _with_own_rules(repository: Repository, models: list[str]) -> set[str]:
    """Return the models with files that no common pattern is for."""
    places, found = set(models), set()
    for path in changes.entries(repository.git):
        for place in places_above(path):
            if place in places:
                below = path[len(place) + 1 if place else 0 :]
                found |= {place} if attributes.needs_own_rule(below) else set()
                break
    return found


def steps_back(repository: Repository) -> Iterator[Step]:
    """Yield what takes the block away."""
    path = top_of(repository) / ATTRIBUTES_FILE
    file = attributes.parse(read_attributes(path.parent))
    if file.block is None:
        return
    if attributes.is_created(file):
        yield Step("removed", ATTRIBUTES_FILE, do=path.unlink)
    else:
        why = "the lines of kvcs; the others are as they were"
        yield Step("removed", ATTRIBUTES_FILE, why, _writing(path, file.without_block().content()))


def _writing(path: Path, content: bytes) -> Callable[[], None]:
    def write() -> None:
        try:
            write_whole(path, content)
        except OSError as error:
            raise RepositoryError(f"{path} cannot be written: {error.strerror}.") from error

    return write
