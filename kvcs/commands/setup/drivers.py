"""`kvcs init`: the settings of git that name kvcs as a driver."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from kvcs.commands.setup.steps import Step
from kvcs.repo import Repository
from kvcs.repo.setup import settings
from kvcs.repo.setup.drivers import DRIVERS, LFS_FILTER
from kvcs.repo.setup.settings import Scope

_BY_KVCS = "kvcs driver "


def steps(repository: Repository, *, lfs: bool, scope: Scope) -> Iterator[Step]:
    """Yield what names kvcs, and with `lfs` git-lfs, in the settings of git."""
    yield from _steps(repository, DRIVERS, scope)
    if lfs:
        # Never those of the user: taken back here, they would be missing in other repositories,
        # where tensors then go into git as they are, without a word.
        yield from _steps(repository, LFS_FILTER, "local")


def _steps(repository: Repository, wanted: Mapping[str, str], scope: Scope) -> Iterator[Step]:
    git = repository.git
    for key, value in wanted.items():
        there = settings.get(git, key)
        do = partial(settings.put, git, key, value, scope)
        if there == value:
            yield Step("kept", key)
        elif there is None:
            yield Step("added", key, f"in {_whose(scope)}", do)
        elif (scope, key) in settings.recorded(git) and _BY_KVCS in there:
            yield Step("changed", key, "was that of an older kvcs", do)
        else:
            yield Step("left", key, f"is {there!r} already")


def steps_back(repository: Repository) -> Iterator[Step]:
    """Yield what takes those back that `kvcs init` wrote here, if they are as it wrote them."""
    git, written = repository.git, {**DRIVERS, **LFS_FILTER}
    for scope, key in settings.recorded(git):
        there = settings.get(git, key, scope)
        if there is not None and there == written.get(key):
            do = partial(settings.take_back, git, key, scope)
            yield Step("removed", key, f"from {_whose(scope)}", do)
        elif there is not None:
            yield Step("left", key, f"it was changed to {there!r}")
    if settings.recorded(git):
        yield Step("removed", "kvcs.added", "the record of them", partial(settings.forget, git))


def _whose(scope: Scope) -> str:
    return "your settings of git" if scope == "global" else "the settings of this repository"
