"""Pull requests of GitHub.

https://docs.github.com/en/rest/issues/comments, https://docs.github.com/en/rest/pulls/pulls
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kvcs.errors import ForgeError
from kvcs.forge.http import Client
from kvcs.forge.sticky import Comment

API = "https://api.github.com"


def client(environment: Mapping[str, str]) -> Client:
    """Return what speaks with GitHub, or with a server of one's own.

    Raises:
        ForgeError: the environment holds no token.
    """
    token = environment.get("GITHUB_TOKEN") or environment.get("GH_TOKEN")
    if not token:
        raise ForgeError(
            "there is no token to write a comment with: set GITHUB_TOKEN to ${{ github.token }} "
            "in the env of this step"
        )
    headers = {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {token}",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    return Client(environment.get("GITHUB_API_URL") or API, headers)


def graphql(environment: Mapping[str, str]) -> str:
    """Return the address of the GraphQL API, which stands beside the other one."""
    given = environment.get("GITHUB_GRAPHQL_URL")
    return given or f"{environment.get('GITHUB_API_URL') or API}/graphql"


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """The comments of one pull request.

    Attributes:
        client: speaks with the host.
        graphql: address of its GraphQL API: of an installation's token, nothing else tells whose.
        repository: `owner/name`.
        number: of the pull request.
    """

    client: Client
    graphql: str
    repository: str
    number: int

    def own(self) -> Iterator[Comment]:
        """Yield the comments that the owner of the token wrote, oldest first."""
        me = self._viewer()
        for found in self.client.pages(f"{self._issues}/{self.number}/comments"):
            if _login(found) in (me, f"{me}[bot]"):
                yield Comment(found["id"], found.get("body") or "")

    def create(self, body: str) -> None:
        """Write another comment."""
        self.client.send("POST", f"{self._issues}/{self.number}/comments", {"body": body})

    def update(self, number: int, body: str) -> None:
        """Write a comment anew."""
        self.client.send("PATCH", f"{self._issues}/comments/{number}", {"body": body})

    @property
    def _issues(self) -> str:
        return f"repos/{_checked(self.repository)}/issues"

    def _viewer(self) -> str:
        found = self.client.send("POST", self.graphql, {"query": "{ viewer { login } }"})
        try:
            login = found["data"]["viewer"]["login"]
        except (KeyError, TypeError):
            login = None
        if not isinstance(login, str) or not login:
            raise ForgeError("GitHub does not say whose token this is, so no comment can be found")
        return login


def _login(comment: Any) -> str:
    user = comment.get("user") if isinstance(comment, dict) else None
    return str(user.get("login")) if isinstance(user, dict) else ""


def _checked(repository: str) -> str:
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        raise ForgeError(f"expected a repository as OWNER/NAME, got {repository!r:.100}")
    return repository


def pull_of_run(client: Client, repository: str, event: Mapping[str, Any]) -> int | None:
    """Return the pull request that a finished workflow run belongs to; None if it has moved on.

    What the run made is no witness: in a fork, its author decides what it makes. GitHub's own event
    says which commit of which repository it ran on. Pull requests of forks are not in it; they are
    looked up, and count only if they are at that very commit now.

    Args:
        client: speaks with the host.
        repository: `owner/name` of the one that the pull request is for.
        event: a `workflow_run` event.

    Raises:
        ForgeError: the run was none for a pull request, or it cannot be told for which.
    """
    run = event.get("workflow_run")
    if not isinstance(run, dict) or run.get("event") != "pull_request":
        raise ForgeError("the finished workflow did not run for a pull request: nothing to comment")
    found = sorted({pull["number"] for pull in _candidates(client, repository, run)
                    if _fits(pull, repository, run)})  # fmt: skip
    if len(found) > 1:
        raise ForgeError(
            f"the finished workflow ran on a commit of {len(found)} pull requests: it cannot be "
            "told for which"
        )
    return found[0] if found else None


def _candidates(client: Client, repository: str, run: Mapping[str, Any]) -> Iterator[Any]:
    place = f"repos/{_checked(repository)}"
    head = run.get("head_repository")
    if isinstance(head, dict) and isinstance(head.get("owner"), dict):
        name = f"{head['owner'].get('login')}:{run.get('head_branch')}"
        yield from client.pages(f"{place}/pulls", state="open", head=name)
    yield from client.pages(f"{place}/commits/{quote(str(run.get('head_sha')), safe='')}/pulls")


def _fits(pull: Any, repository: str, run: Mapping[str, Any]) -> bool:
    """Tell whether a pull request is open, for this repository, and at the commit of a run."""
    try:
        return bool(
            isinstance(pull["number"], int)
            and pull["state"] == "open"
            and pull["base"]["repo"]["full_name"].lower() == repository.lower()
            and pull["head"]["sha"] == run["head_sha"]
            and pull["head"]["repo"]["id"] == run["head_repository"]["id"]
        )
    except (KeyError, TypeError):  # a fork that is deleted is null
        return False
