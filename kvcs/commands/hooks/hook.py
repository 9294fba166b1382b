"""`kvcs hook NAME`: what git's hooks call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from kvcs.errors import OperandError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a hook found.

    Attributes:
        lines: for the user.
        stops: whether git must not go on.
    """

    lines: tuple[str, ...] = ()
    stops: bool = False


# A hook of these stops git, also when it cannot do its work; each with the way around it.
STOPPING: Mapping[str, str] = MappingProxyType(
    {"pre-commit": "git commit --no-verify", "pre-push": "git push --no-verify"}
)


def hook(name: str, arguments: Sequence[str], read_stdin: Callable[[], str]) -> Outcome:
    """Do the work of a hook.

    Args:
        name: as git calls it.
        arguments: what git calls it with.
        read_stdin: what git gives it, read when the hook asks for it.

    Raises:
        OperandError: kvcs has no such hook.
    """
    if name == "pre-commit":
        from kvcs.commands.hooks.commit import pre_commit

        return pre_commit()
    if name == "prepare-commit-msg":
        from kvcs.commands.hooks.message import prepare_commit_msg

        return prepare_commit_msg(arguments)
    if name in ("post-checkout", "post-merge"):
        from kvcs.commands.hooks.checkout import post_checkout, post_merge

        return (post_checkout if name == "post-checkout" else post_merge)(arguments)
    if name == "pre-push":
        from kvcs.commands.hooks.push import pre_push

        return pre_push(arguments, read_stdin)
    raise OperandError(
        f"there is no hook {name!r}: kvcs has pre-commit, prepare-commit-msg, post-checkout, "
        "post-merge and pre-push"
    )
