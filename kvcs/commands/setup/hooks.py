"""`kvcs init`: git's hooks, among those of other tools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from kvcs.commands.setup.steps import Step, top_of
from kvcs.data.hook_scripts import HOOKS, script
from kvcs.repo import Repository
from kvcs.repo.setup import hooks
from kvcs.repo.setup.hooks import HookPlace

# Where git-lfs has a part of its own. Of the last kvcs has none.
LFS_HOOKS = ("pre-push", "post-checkout", "post-merge", "post-commit")


def steps(repository: Repository, *, lfs: bool) -> Iterator[Step]:
    """Yield what puts the hooks in their place, or tells the user to."""
    place = hooks.find(repository.git, top_of(repository))
    of_framework = [name for name in HOOKS if of_pre_commit(place, name)]
    others = [name for name in HOOKS if name not in of_framework]
    if of_framework and not in_pre_commit_config(place):
        yield Step("to do", hooks.PRE_COMMIT_CONFIG, for_pre_commit(of_framework))
    if not place.own:
        yield Step("to do", f"hooks in {where(place)}", for_others(place, others))
        return
    for name in others:
        yield _hook(place, name)
    for name in LFS_HOOKS if lfs else ():
        if name not in of_framework:
            yield _lfs_hook(place, name)


def steps_back(repository: Repository) -> Iterator[Step]:
    """Yield what takes the hooks away, and puts back those that stood in their places."""
    place = hooks.find(repository.git, top_of(repository))
    for name in dict.fromkeys((*HOOKS, *LFS_HOOKS)):
        for each in hooks.own(place, name):
            chained = hooks.has_earlier(place, name) and not each.name.endswith(hooks.LFS)
            why = "the one that was there before is back" if chained else ""
            yield Step("removed", shown(place, each), why, partial(hooks.remove, each, name))


def of_pre_commit(place: HookPlace, name: str) -> bool:
    """Tell whether the pre-commit framework is to run a hook of kvcs."""
    return place.is_of_pre_commit(name) or (name == "pre-commit" and place.has_pre_commit)


def in_pre_commit_config(place: HookPlace) -> bool:
    """Tell whether the pre-commit framework knows of kvcs."""
    config = hooks.read(place.top / hooks.PRE_COMMIT_CONFIG) or b""
    return b"kvcs-pre-commit" in config or b"kvcs hook" in config


def for_pre_commit(names: Sequence[str]) -> str:
    """Return what to add to `.pre-commit-config.yaml`, below `repos:`."""
    lines = ["add to `repos:`", "- repo: local", "  hooks:"]
    for name in names:
        takes_file = "true" if name == "prepare-commit-msg" else "false"
        lines += [
            f"  - id: kvcs-{name}",
            f"    name: kvcs {name}",
            f"    entry: kvcs hook {name}",
            "    language: system",
            "    always_run: true",
            f"    pass_filenames: {takes_file}",
            f"    stages: [{name}]",
        ]
        lines += ["    verbose: true"] if name.startswith("post-") else []  # what passes is silent
    return "\n".join(lines)


def for_others(place: HookPlace, names: Sequence[str]) -> str:
    """Return what to add to hooks that belong to somebody else."""
    whose = "husky runs them" if place.husky else "core.hooksPath names it"
    return "\n".join([f"{whose}; add to", *(f"{name}: {line(name)}" for name in names)])


def line(name: str) -> str:
    """Return the line of a shell script that runs a hook of kvcs, if it is installed."""
    return f'if command -v kvcs >/dev/null; then kvcs hook {name} "$@"; fi'


def where(place: HookPlace) -> str:
    """Return the directory of hooks that a user may write to."""
    return _from_top(place, place.husky or place.directory)


def shown(place: HookPlace, path: Path) -> str:
    """Return a hook as a user finds it."""
    return f"hook {path.relative_to(place.directory).as_posix()}"


def _from_top(place: HookPlace, path: Path) -> str:
    return path.relative_to(place.top).as_posix() if path.is_relative_to(place.top) else str(path)


def _hook(place: HookPlace, name: str) -> Step:
    content = script(name)
    state = place.state(name, content)
    do = partial(hooks.install, place, name, content)
    if state == "current":
        return Step("kept", f"hook {name}")
    if state == "none":
        return Step("added", f"hook {name}", do=do)
    if state != "other":
        return Step("changed", f"hook {name}", "it was not as it should be", do)
    reason = hooks.why_not_movable(place, name)
    if reason:
        why = f"{reason}, so kvcs does not put itself in its place; add to it\n{line(name)}"
        return Step("to do", f"hook {name}", why)
    runs = "runs first" if hooks.is_executable(place.directory / name) else "is not executable"
    why = f"the one that was there {runs}, as {name}{hooks.EARLIER}"
    return Step("added", f"hook {name}", why, do)


def _lfs_hook(place: HookPlace, name: str) -> Step:
    file = name if name == "post-commit" else f"{name}{hooks.LFS}"
    if place.runs_lfs(name):
        return Step("kept", f"hook {name}", "git-lfs has its part in it")
    if file == name and place.state(name, b"") == "other":
        return Step("to do", f"hook {name}", f'add to it\ngit lfs {name} "$@"')
    do = partial(hooks.install_beside, place, file, hooks.lfs_script(name))
    return Step("added", f"hook {file}", "for Git LFS", do)
