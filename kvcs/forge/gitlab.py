"""Merge requests of GitLab.

https://docs.gitlab.com/api/notes/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kvcs.errors import ForgeError
from kvcs.forge.http import Client
from kvcs.forge.sticky import Comment

TOKEN = "KVCS_GITLAB_TOKEN"


def client(environment: Mapping[str, str]) -> Client:
    """Return what speaks with the GitLab that runs this job.

    Raises:
        ForgeError: the environment holds no token.
    """
    token = environment.get(TOKEN)
    if not token:
        raise ForgeError(
            f"there is no token to write a comment with: make a project access token with the "
            f"scope api, and a masked variable {TOKEN} of it. CI_JOB_TOKEN may not comment, and a "
            "pipeline of a fork has no variables of this project"
        )
    api = environment.get("CI_API_V4_URL")
    if not api:
        raise ForgeError("CI_API_V4_URL is not set: this is no job of GitLab")
    return Client(api, {"PRIVATE-TOKEN": token})


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """The notes of one merge request.

    Attributes:
        client: speaks with the host.
        project: number of the project that the merge request is for.
        number: of the merge request in it.
    """

    client: Client
    project: int
    number: int

    def own(self) -> Iterator[Comment]:
        """Yield the notes that the owner of the token wrote, oldest first."""
        me = self.client.get("user")
        if not isinstance(me, dict) or not isinstance(me.get("id"), int):
            raise ForgeError("GitLab does not say whose token this is, so no comment can be found")
        for note in self.client.pages(self._notes, sort="asc", order_by="created_at"):
            if not note.get("system") and _author(note) == me["id"]:
                yield Comment(note["id"], note.get("body") or "")

    def create(self, body: str) -> None:
        """Write another note."""
        self.client.send("POST", self._notes, {"body": body})

    def update(self, number: int, body: str) -> None:
        """Write a note anew."""
        self.client.send("PUT", f"{self._notes}/{number}", {"body": body})

    @property
    def _notes(self) -> str:
        return f"projects/{self.project}/merge_requests/{self.number}/notes"


def _author(note: Any) -> Any:
    author = note.get("author")
    return author.get("id") if isinstance(author, dict) else None
