"""`kvcs doctor`: what is set up in a repository, what is missing, and what mends it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from kvcs.commands.setup import attributes as init_attributes
from kvcs.commands.setup import doctor_models
from kvcs.commands.setup import hooks as init_hooks
from kvcs.commands.setup.findings import Check, missing, note, ok
from kvcs.commands.setup.hooks import LFS_HOOKS
from kvcs.commands.setup.steps import top_of
from kvcs.data.hook_scripts import HOOKS, script
from kvcs.errors import RepositoryError
from kvcs.repo import Repository, changes
from kvcs.repo.setup import attributes, hooks, settings, versions
from kvcs.repo.setup.drivers import DRIVERS, LFS_FILTER
from kvcs.repo.setup.hooks import HookPlace


def doctor() -> list[Check]:
    """Look at the repository around the current directory; nothing is changed.

    Raises:
        RepositoryError: there is none, or git cannot be asked.
    """
    with Repository.discover() as repository:
        found = [*_program(repository), *_clone(repository)]
        if repository.top is None:
            return [*found, note("work tree", "a bare repository has none, so no hooks of its own")]
        return [
            *found,
            *_attributes(repository),
            *_drivers(repository),
            *_hooks(repository),
            *_lfs(repository),
            *doctor_models.checks(repository),
        ]


def _program(repository: Repository) -> Iterator[Check]:
    version = versions.git(repository.git)
    text = ".".join(map(str, version))
    if version >= versions.OLDEST_GIT:
        yield ok("git", text)
    else:
        yield missing("git", f"{text} is too old", "install git 2.31 or newer")
    if repository.has_identity():
        yield ok("identity", "git knows who commits")
    else:
        yield missing(
            "identity",
            "git does not know who commits",
            "git config --global user.name 'Your Name'\n"
            "git config --global user.email 'you@example.org'",
        )
    program = shutil.which("kvcs")
    if program:
        yield ok("kvcs on PATH", program)
    else:
        yield missing(
            "kvcs on PATH",
            "hooks and diffs will not find it",
            "add its directory to PATH, or activate its environment",
        )


def _clone(repository: Repository) -> Iterator[Check]:
    git = repository.git
    if git.run("rev-parse", "--is-shallow-repository").text == "true":
        yield note(
            "clone", "shallow: older versions of models are not here", "git fetch --unshallow"
        )
    if changes.is_partial(git):
        yield note("clone", "partial: git fetches the files of a version when they are read")
    if settings.get(git, "core.sparseCheckout") == "true":
        yield note("clone", "a sparse checkout: models outside of it are not in the working tree")


def _attributes(repository: Repository) -> Iterator[Check]:
    try:
        file = attributes.parse(init_attributes.read_attributes(top_of(repository)))
    except RepositoryError as error:
        yield missing(".gitattributes", str(error))
        return
    if file.block is None:
        yield missing(".gitattributes", "says nothing of models", "kvcs init")
    else:
        yield ok(".gitattributes", "has the lines of kvcs")
        yield from _handed_on(repository, lfs=file.has_lfs)
    crlf = settings.get(repository.git, "core.autocrlf")
    if crlf in ("true", "input"):
        says = f"core.autocrlf is {crlf}: attributes keep git from changing the files of models"
        yield (
            note("line ends", says)
            if file.block is not None
            else missing(
                "line ends",
                f"core.autocrlf is {crlf}, which changes the files of models",
                "kvcs init",
            )
        )


def _handed_on(repository: Repository, *, lfs: bool) -> Iterator[Check]:
    """Say when only this working tree has the attributes: clones get what is committed."""
    name = init_attributes.ATTRIBUTES_FILE
    staged = any(change.path == name for change in changes.staged(repository.git))
    if staged or not changes.is_as_indexed(repository.git, name):
        says = "is not committed as it is, so clones do not have it"
        if lfs:
            says += ", and get pointers of Git LFS in the place of tensors"
        yield note(name, says, f"git add {name} && git commit")


def _drivers(repository: Repository) -> Iterator[Check]:
    for key, value in DRIVERS.items():
        there = settings.get(repository.git, key)
        if there is None:
            yield missing(key, "is not set", "kvcs init")
        elif there == value:
            yield ok(key, "calls kvcs")
        else:
            yield note(key, f"is your own: {there}")


def _hooks(repository: Repository) -> Iterator[Check]:
    place = hooks.find(repository.git, top_of(repository))
    framework = [name for name in HOOKS if init_hooks.of_pre_commit(place, name)]
    if framework and init_hooks.in_pre_commit_config(place):
        yield ok("hooks", f"{', '.join(framework)}: in {hooks.PRE_COMMIT_CONFIG}")
    elif framework:
        lines = init_hooks.for_pre_commit(framework)
        yield missing("hooks", f"not in {hooks.PRE_COMMIT_CONFIG}", lines)
    for name in HOOKS:
        if name not in framework:
            yield _hook(place, name)


def _hook(place: HookPlace, name: str) -> Check:
    what = f"hook {name}"
    if place.calls_kvcs(name):
        return ok(what, f"calls kvcs, in {init_hooks.where(place)}")
    if not place.own:
        says = f"{init_hooks.where(place)}, where git takes hooks from, has no call of kvcs"
        return missing(what, says, f"add to {name}: {init_hooks.line(name)}")
    state = place.state(name, script(name))
    if state == "current":
        earlier = ", after the one that was there" if hooks.has_earlier(place, name) else ""
        return ok(what, f"calls kvcs{earlier}")
    if state == "other":
        reason = hooks.why_not_movable(place, name)
        mend = f"add to it: {init_hooks.line(name)}" if reason else "kvcs init"
        return missing(what, "is another tool's alone", mend)
    says = {"none": "is not there", "old": "is of another version of kvcs"}.get(
        state, f"is {state}"
    )
    return missing(what, says, "kvcs init")


def _lfs(repository: Repository) -> Iterator[Check]:
    rules = [rule for rule in attributes.rules(lfs=True) if "filter" in rule.wanted]
    samples = [sample for rule in rules for sample in rule.samples]
    tensors = doctor_models.tensors(repository) or samples
    held = attributes.effective(repository.git, top_of(repository), list(tensors))
    if not any(each["filter"] == "lfs" for each in held.values()):
        yield note("Git LFS", "does not keep the tensors here; `kvcs init --lfs` gives them to it")
        return
    version = versions.git_lfs(repository.git)
    if version is None:
        yield missing("Git LFS", "keeps the tensors, and is not installed", "install git-lfs")
        return
    yield ok("Git LFS", f"keeps the tensors; git-lfs {'.'.join(map(str, version))}")
    for key in LFS_FILTER:
        if settings.get(repository.git, key) is None:
            yield missing(key, "is not set", "kvcs init --lfs")
    place = hooks.find(repository.git, top_of(repository))
    for name in LFS_HOOKS:
        if not place.runs_lfs(name):
            says = "does not call git-lfs"
            mend = "kvcs init --lfs" if place.own else f'add to it: git lfs {name} "$@"'
            yield (
                missing(f"hook {name}", says, mend)
                if name == "pre-push"
                else note(f"hook {name}", f"{says}, which locks need", mend)
            )
