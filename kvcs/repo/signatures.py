"""Who signed a commit or a tag, as git tells it: by GPG, by SSH, or by what speaks as GPG does.

git starts the program that checks (`gpg.program`, `gpg.ssh.program`) and knows whose keys count
(the keyring, `gpg.ssh.allowedSignersFile`). All of that is set by the user; a clone brings none of
it along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from kvcs.errors import OperandError, RepositoryError
from kvcs.repo.program import READING, Completed, GitProgram
from kvcs.repo.revision import resolve_object

Verdict: TypeAlias = Literal[
    "good", "unsigned", "bad", "expired signature", "expired key", "revoked key", "unknown key",
    "untrusted key",
]  # fmt: skip

# The lines by which GPG says how a signature is; one signature has one of them.
_VERDICTS: dict[str, Verdict] = {
    "GOODSIG": "good",
    "BADSIG": "bad",
    "EXPSIG": "expired signature",
    "EXPKEYSIG": "expired key",
    "REVKEYSIG": "revoked key",
    "ERRSIG": "unknown key",
}
_NO_KEY = "9"  # the last but one word of ERRSIG, where a key is missing and nothing else
_STATUS = "[GNUPG:] "
_GOOD_SSH = re.compile(r'Good "git" signature (?:for (?P<signer>.*) )?with (?P<key>\S+ key \S+)')
_BAD_SSH = ("Signature verification failed", "Couldn't verify signature", "Could not verify")
# A valid signature is all that git asks for then, for it can ask nothing else.
_UNCHECKED = ("revocation file configured but not found", "Unable to open allowed keys file")
_MARKS = (b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN PGP MESSAGE-----",
          b"-----BEGIN SSH SIGNATURE-----", b"-----BEGIN SIGNED MESSAGE-----")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """The signature of a commit or an annotated tag. True when it is good.

    Attributes:
        of: what is signed.
        object_id: full hash of it.
        verdict: how the signature is.
        signer: who signed, as the keyring or the file of allowed signers names them.
        key: the key: fingerprint or id, for SSH with its type.
        trust: how far the user trusts that the key is the signer's: `undefined`, `never`,
            `marginal`, `fully` or `ultimate`; a key of an allowed signer is trusted fully.
        message: one sentence.
    """

    of: Literal["commit", "tag"]
    object_id: str
    verdict: Verdict
    signer: str = ""
    key: str = ""
    trust: str = ""
    message: str = ""

    def __bool__(self) -> bool:
        return self.verdict == "good"


def read_signature(git: GitProgram, revision: str) -> Signature:
    """Return the signature of what a revision names: of a tag if it is an annotated one.

    Raises:
        OperandError: it is neither commit nor tag.
        RepositoryError: there is no such revision, or git cannot check a signature here.
    """
    object_id = resolve_object(git, revision)
    kind = git.check("cat-file", "-t", object_id).text
    if kind in ("commit", "tag"):
        of: Literal["commit", "tag"] = "tag" if kind == "tag" else "commit"
        found = Signature(of=of, object_id=object_id, verdict="unsigned")
        if _is_signed(git.check("cat-file", kind, object_id).output, kind):
            found = _judged(git, found)
        return replace(found, message=_sentence(found, revision))
    raise OperandError(f"'{revision}' is a {kind}, which has no signature; name a commit or a tag.")


def _is_signed(content: bytes, kind: str) -> bool:
    if kind == "commit":
        header = content.partition(b"\n\n")[0]
        return re.search(rb"(?m)^gpgsig(-sha256)? ", header) is not None
    return any(line in _MARKS for line in content.splitlines())


def _judged(git: GitProgram, found: Signature) -> Signature:
    done = _ask(git, found)
    if any(mark in done.errors for mark in _UNCHECKED):
        raise _not_checked(found, done)
    if _STATUS in done.errors:
        judged = _by_status(found, done)
    else:
        judged = _of_ssh(found, done)
        if judged.verdict == "bad":
            judged = _revoked(git, judged)
    if judged and (done.status != 0 or judged.trust == "never"):
        return replace(judged, verdict="untrusted key")
    return judged


def _ask(git: GitProgram, found: Signature, *settings: str) -> Completed:
    options = [word for setting in settings for word in ("-c", setting)]
    command = f"verify-{found.of}"
    return git.run(*options, command, "--raw", found.object_id, environment=READING)


def _by_status(found: Signature, done: Completed) -> Signature:
    """Read the status lines of GPG, or of what speaks as it does."""
    lines = [line.split(" ") for line in _status_lines(done)]
    said = [line for line in lines if line[0] in _VERDICTS]
    if len(said) != 1:  # none, or several signatures, of which git takes none
        if any(line[0] in ("NODATA", "UNEXPECTED") for line in lines) or said:
            return replace(found, verdict="bad")
        raise _not_checked(found, done)
    word, *rest = said[0]
    if word == "ERRSIG" and _NO_KEY not in rest[5:6]:
        raise _not_checked(found, done)
    trust = next((line[0] for line in lines if line[0].startswith("TRUST_")), "")
    whole = next((line[1] for line in lines if line[0] == "VALIDSIG" and len(line) > 1), "")
    return replace(
        found,
        verdict=_VERDICTS[word],
        signer="" if word == "ERRSIG" else " ".join(rest[1:]),
        key=whole or rest[0],
        trust=trust.removeprefix("TRUST_").lower(),
    )


def _status_lines(done: Completed) -> Iterator[str]:
    for line in done.errors.split("\n"):
        if line.startswith(_STATUS):
            yield line.removeprefix(_STATUS).rstrip("\r")


def _of_ssh(found: Signature, done: Completed) -> Signature:
    """Read what `ssh-keygen -Y verify` says, which git hands on."""
    good = _GOOD_SSH.search(done.errors)
    if "is not permitted for use" in done.errors:  # known, and for other things than git
        return replace(found, verdict="untrusted key", trust="never")
    if good is None:
        if any(mark in done.errors for mark in _BAD_SSH):
            return replace(found, verdict="bad")
        raise _not_checked(found, done)
    if good["signer"] is not None:
        return replace(found, verdict="good", signer=good["signer"], key=good["key"], trust="fully")
    late = "key has expired" in done.errors or "not yet valid" in done.errors
    return replace(
        found,
        verdict="expired key" if late else "unknown key",
        key=good["key"],
        trust="undefined",
    )


def _revoked(git: GitProgram, found: Signature) -> Signature:
    """Tell a revoked key from a bad signature, which git does not: ask without revocations."""
    again = _ask(git, found, "gpg.ssh.revocationFile=")
    good = _GOOD_SSH.search(again.errors)
    if good is None:
        return found
    return replace(
        found, verdict="revoked key", signer=good["signer"] or "", key=good["key"], trust="never"
    )


def _not_checked(found: Signature, done: Completed) -> RepositoryError:
    said = next((line for line in done.errors.splitlines() for mark in _UNCHECKED if mark in line),
                done.reason)  # fmt: skip
    return RepositoryError(
        f"git could not check the signature of {found.of} {found.object_id}: {said}. "
        f"`git verify-{found.of} {found.object_id}` must work first."
    )


_SENTENCES: dict[Verdict, str] = {
    "good": "{what} is signed by {by}, trust {found.trust}",
    "unsigned": "{what} is not signed",
    "bad": "{what} has a bad signature: it was altered, or the signature was",
    "expired signature": "{what} was signed by {by}, and the signature has expired",
    "expired key": "{what} was signed by {by}, which has expired, or was not valid yet",
    "revoked key": "{what} was signed by {by}, which was revoked",
    "unknown key": "{what} was signed with a key that is not known here: {key}",
    "untrusted key": "{what} was signed by {by}, which is not trusted: trust {found.trust}",
}


def _sentence(found: Signature, revision: str) -> str:
    key = found.key if " key " in found.key else f"key {found.key}"
    if found.key:
        by = f"{found.signer}, {key}" if found.signer else f"somebody with {key}"
    else:
        by = "somebody with a key that is for other things"
    what = f"{found.of} {found.object_id[:12]}"
    said = _SENTENCES[found.verdict].format(what=what, by=by, key=key, found=found)
    if found.of == "tag" and not found:
        said += f"; for the commit that it names, write '{revision}^{{commit}}'"
    return said
