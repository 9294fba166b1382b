"""The public face of git: a repository that reads revisions and commits models."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING

from kvcs.errors import RepositoryError
from kvcs.repo.lfs.store import LfsStore
from kvcs.repo.object_settings import read_settings
from kvcs.repo.objects import ObjectReader
from kvcs.repo.packs.reading import stored_blobs
from kvcs.repo.past.batch import Trees, read_objects
from kvcs.repo.past.history import Selection, Version, follow, read_history
from kvcs.repo.past.holding import holders
from kvcs.repo.past.occurrences import Edit, abbreviations, read_edits, refs_with
from kvcs.repo.place import Place, find_place
from kvcs.repo.program import WRITING, GitProgram, decode
from kvcs.repo.promised import Promised
from kvcs.repo.revision import (
    RevisionTree,
    Sources,
    parse,
    read_revision,
    read_root,
    resolve_commit,
)

if TYPE_CHECKING:
    from kvcs.repo.commits.blobs import Kept
    from kvcs.repo.commits.committing import Recorded
    from kvcs.repo.signatures import Signature


class Repository:
    """A git repository. Close it, or use it in a `with`, to end the git that reads for it.

    Attributes:
        top: the root of the work tree; None in a bare repository, and inside of a `.git`.
        git_dir: the repository itself; of a linked worktree, its own part.
    """

    def __init__(self, git: GitProgram, place: Place) -> None:
        self.top = place.top
        self.git_dir = place.git_dir
        self._git = git
        self._place = place
        self._reader = ObjectReader(git, stored_blobs(place.common))
        self._sources = Sources(git, self._reader, Promised(git), LfsStore(git))
        self._trees = Trees(git)

    @classmethod
    def discover(cls, start: Path | None = None, *, genuine: bool = False) -> Repository:
        """Find the repository of a directory, by default the current one, as git finds it.

        All relative paths given to the repository are relative to this directory.

        Args:
            start: the directory.
            genuine: read objects themselves where `git replace` has put others in their place.

        Raises:
            RepositoryError: if git finds none, or there is no git.
        """
        try:
            git = GitProgram((start or Path()).absolute(), genuine=genuine)
        except FileNotFoundError as error:
            raise RepositoryError("The current directory does not exist any more.") from error
        return cls(git, find_place(git))

    @classmethod
    def create(cls, directory: Path) -> Repository:
        """Make a repository in a directory, as `git init` does; the directory must exist.

        Raises:
            RepositoryError: if git cannot make one there, or there is no git.
        """
        elsewhere = os.environ.get("GIT_DIR")
        if elsewhere:
            raise RepositoryError(
                f"GIT_DIR says '{elsewhere}', so git would make no repository in {directory}; "
                "unset it first."
            )
        GitProgram(directory.absolute()).check("init", "--quiet", environment=WRITING)
        return cls.discover(directory)

    @property
    def git(self) -> GitProgram:
        """The git program, as called from here, for the functions of this package."""
        return self._git

    def revision(self, spec: str) -> RevisionTree:
        """Return the files of `REV:DIR`, or of `:DIR` in the index.

        What comes before the first colon is a revision in any of git's spellings; what follows
        is a path from the repository root, or from here if it begins with `./` or `../`.
        Nothing but names is read until a file is asked for. A Git LFS pointer stands for its
        object; what is not on this machine is fetched together by `RevisionTree.fetch`, or else
        one by one as it is read.

        Raises:
            RepositoryError: if there is no such revision, or no such directory in it.
            DamageError: if the directory holds symbolic links or submodules.
        """
        return read_revision(self._sources, self._place, spec)

    def root(self, revision: str) -> RevisionTree:
        """Return all files of a revision, to look for models in it; what is no file is left out.

        Raises:
            RepositoryError: if there is no such revision.
        """
        return read_root(self._sources, revision)

    def holding(self, path: str, object_id: str) -> Iterator[RevisionTree]:
        """Yield directories that hold an object, by its full hash, at a path from the root.

        First the index, then HEAD, then the newest commit of any branch, tag, stash or reflog.
        """
        return holders(self._sources, self._place, path, object_id)

    def blob_id(self, file: Path) -> str:
        """Return the hash that git gives to the contents of a file.

        Raises:
            RepositoryError: if there is no such file.
        """
        return self._git.check("hash-object", "--no-filters", "--", str(file)).text

    def resolve(self, rev: str) -> str:
        """Return the full hash of the commit that a revision names.

        Raises:
            RepositoryError: if there is no such commit.
        """
        return resolve_commit(self._git, rev)

    def signature(self, rev: str) -> Signature:
        """Return who signed the commit, or the annotated tag, that a revision names.

        Raises:
            OperandError: if it names something else.
            RepositoryError: if there is no such revision, or git cannot check signatures here.
        """
        from kvcs.repo.signatures import read_signature

        return read_signature(self._git, rev)

    def merge_base(self, one: str, other: str) -> str:
        """Return the full hash of the best common ancestor of two commits.

        Raises:
            RepositoryError: if there is no such commit, or they have no ancestor in common.
        """
        commits = self.resolve(one), self.resolve(other)
        done = self._git.run("merge-base", *commits)
        if done.status != 0:
            raise RepositoryError(f"'{one}' and '{other}' have no commit in common.")
        return done.text

    def refuse_unfinished(self) -> None:
        """Refuse to commit while a merge, a rebase or the like is under way.

        Raises:
            RepositoryError: one is.
        """
        from kvcs.repo.commits.committing import refuse_unfinished

        refuse_unfinished(self.git_dir)

    def commit(
        self,
        directories: Sequence[Path],
        message: str,
        trailers: Sequence[tuple[str, str]] = (),
        *,
        recorded: Mapping[Path, Mapping[str, Recorded]] = MappingProxyType({}),
        kept: Kept = MappingProxyType({}),
    ) -> str | None:
        """Commit the directories as they are in the working tree, and nothing else.

        Files below them are added, updated and removed. All other work stays as it is, staged
        or not. The hooks of the repository run, and its settings for identity and signatures
        hold.

        Args:
            directories: what is committed.
            message: the commit message.
            trailers: key and value of each trailer.
            recorded: by directory, the checksums that files in it should have. They are looked
                at where a file changed since the last commit, or what records its checksum.
            kept: what `unchanged` returned before the directories were saved.

        Returns:
            The full hash of the new commit, or None when nothing changed.

        Raises:
            RepositoryError: if git must not or will not commit; then nothing has changed.
            DamageError: a file has another checksum than it should have; likewise.
        """
        from kvcs.repo.commits.committing import commit_directories

        work = (directories, message, trailers, recorded, kept)
        if commit_directories(self._git, self._place, *work):
            return self.resolve("HEAD")
        return None

    def unchanged(self, directory: Path) -> Kept:
        """Return the files of a directory that git knows to be unchanged, without reading them.

        For a save that is about to follow: where it links a file, git would read it again.
        """
        from kvcs.repo.commits.blobs import unchanged

        if self.top is None:
            return {}
        return unchanged(read_settings(self._git), self.top, [self._place.relative(directory)])

    def commit_to_branch(
        self,
        branch: str,
        directory: Path,
        write: Callable[[Path], object],
        message: str,
        trailers: Sequence[tuple[str, str]] = (),
    ) -> str | None:
        """Commit a directory to a branch that is not checked out; see `kvcs.repo.commits.branch`.

        Raises:
            RepositoryError: if git must not or will not commit; then nothing has changed.
        """
        from kvcs.repo.commits.branch import commit_to_branch

        path = self._place.relative(directory)
        return commit_to_branch(self._git, self._place, branch, path, write, message, trailers)

    def check_branch(self, branch: str) -> None:
        """Refuse a branch that is checked out, and what cannot be the name of one.

        Raises:
            RepositoryError: it is one of these.
        """
        from kvcs.repo.commits.branch import check_branch

        check_branch(self._git, branch)

    def directories_with(self, name: str) -> list[Path]:
        """Return the directories that hold, or held in the index, a file of that name.

        Those that git ignores, those of other repositories inside this one, and those that a
        sparse checkout leaves out, are left out.
        """
        if self.top is None:
            return []
        listed = ("--cached", "--others", "--exclude-standard", "-t", "-z")
        done = self._git.check("ls-files", *listed, "--full-name", "--", f":(top,glob)**/{name}")
        paths = {decode(record[2:]) for record in done.records if not record.startswith(b"S ")}
        return sorted(self.top / path.rpartition("/")[0] for path in paths)

    def tag(self, name: str) -> None:
        """Name the commit that HEAD is at, with a lightweight tag.

        Raises:
            RepositoryError: if the name is taken or impossible, or there is no commit.
        """
        self._git.check("tag", "--no-sign", "--", name, "HEAD", environment=WRITING)

    def has_identity(self) -> bool:
        """Tell whether git knows who commits here, by settings, environment or its own guess."""
        known = [self._git.run("var", f"GIT_{who}_IDENT") for who in ("AUTHOR", "COMMITTER")]
        return all(done.status == 0 for done in known)

    def set_identity(self, name: str, email: str) -> None:
        """Say who commits in this repository, and in no other.

        Raises:
            RepositoryError: if git cannot write its settings.
        """
        for key, value in (("user.name", name), ("user.email", email)):
            self._git.check("config", "--local", key, value, environment=WRITING)

    def history(
        self, directory: Path, *, revision: str = "HEAD", limit: int | None = None
    ) -> list[Version]:
        """Return the commits up to a revision that touched the directory, newest first.

        Raises:
            RepositoryError: if there is no such revision.
        """
        selection = Selection(revisions=(revision,), limit=limit)
        return read_history(self._git, self._place.relative(directory), selection)

    def versions(self, path: str, manifest: str, selection: Selection) -> list[Version]:
        """Return the selected commits that touched a directory, children first, else newest first.

        Where a commit renamed the directory, it goes on with the old name.

        Args:
            path: the directory, from the repository root; see `relative`.
            manifest: name of the file in it by which git finds it again.
            selection: which commits.

        Raises:
            RepositoryError: if there is no such revision.
        """
        return follow(self._git, self._place, self._trees, path, selection, manifest)

    def relative(self, directory: Path) -> str:
        """Return a directory as a path from the repository root; the root is empty.

        Raises:
            RepositoryError: it is outside of the repository.
        """
        return self._place.relative(directory)

    def spec(self, text: str) -> tuple[str, str]:
        """Take `REV:DIR` apart: the revision, and the directory from the repository root.

        Raises:
            RepositoryError: it is none, or leads out of the repository.
        """
        return parse(text, self._place)

    def listings(
        self, places: Iterable[tuple[str, str]], inside: str
    ) -> dict[tuple[str, str], dict[str, str]]:
        """Return the files in directories of commits, by path, each with the id of its content.

        Few git processes do that for a whole history. Of the directories in a directory, only
        one is looked into; a place where there is no directory is left out.

        Args:
            places: a commit in any spelling, and a path from the repository root.
            inside: name of the directory that is looked into.
        """
        wanted = list(places)
        roots = self._trees.roots(commit for commit, _ in wanted)
        there = [(roots[commit], path) for commit, path in wanted if commit in roots]
        found = self._trees.directories(there)
        files = self._trees.files(found.values(), inside.encode())
        return {
            (commit, path): files[found[roots[commit], path]]
            for commit, path in wanted
            if commit in roots and (roots[commit], path) in found
        }

    def edits(self, name: str, directory: str) -> list[Edit]:
        """Return every change of a file of some name below a directory, in all commits."""
        return read_edits(self._git, name, directory)

    def refs_with(self, paths: Iterable[str]) -> dict[tuple[str, str], list[str]]:
        """Return the refs that hold a file, by its path and the id of its content."""
        return refs_with(self._git, paths)

    def abbreviations(self, commits: Iterable[str]) -> dict[str, str]:
        """Return hashes as short as is unique here, by the full ones."""
        return abbreviations(self._git, commits)

    def contents(self, object_ids: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of small files by their id, all at once."""
        wanted = list(object_ids)
        self._sources.promised.fetch_missing(wanted)
        return {name: found.content for name, found in read_objects(self._git, wanted).items()}

    def content(self, revision: str, path: str) -> bytes | None:
        """Return one file of a revision, or of the index if that is empty; None if there is none.

        Raises:
            RepositoryError: if there is no such revision.
        """
        if revision:
            revision = self.resolve(revision)
        name = f"{revision}:{path}"
        done = self._git.run("rev-parse", "--verify", "--quiet", "--end-of-options", name)
        return self._reader.read(done.text) if done.status == 0 else None

    def altered(self, old: str, new: str) -> list[str]:
        """Return the paths of files that are other ones in a revision; see `kvcs.repo.changes`.

        Args:
            old: a revision.
            new: a revision; empty for the working tree.

        Raises:
            RepositoryError: there is no such revision.
        """
        from kvcs.repo.changes import altered

        return altered(self._git, self.resolve(old), self.resolve(new) if new else "")

    def bring(self, commits: Sequence[str], branch: str = "") -> str:
        """Fetch commits with their histories; see `kvcs.repo.histories`.

        Returns:
            The full hash of the newest commit of the branch; empty for no branch.

        Raises:
            RepositoryError: they cannot be fetched.
        """
        from kvcs.repo.histories import bring

        return bring(self._git, commits, branch)

    def close(self) -> None:
        """End the git process that reads objects; its trees cannot be read afterwards."""
        self._reader.close()

    def __enter__(self) -> Repository:
        """Return the repository itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the repository."""
        self.close()
