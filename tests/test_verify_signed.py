"""`kvcs verify --signed`: real signatures by SSH and GPG, in every state that git knows."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import Done, refused, store
from cli import kvcs as run
from gitrepo import commit_all, git

import kvcs
from kvcs.commands.verify import SignedReport
from kvcs.errors import OperandError

MODEL = "HEAD:models/m"
UNKNOWN = "REFUSED commit … was signed with a key that is not known here: ED25519 key …"
OTHER = (
    "REFUSED commit … was signed by somebody with a key that is for other things, which is not "
    "trusted: trust never"
)
LATE = (
    "REFUSED commit … was signed by somebody with ED25519 key … which has expired, or was not "
    "valid yet"
)
WRITE = ("hash-object", "-t", "commit", "-w", "--stdin")
ssh = pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen")
gpg = pytest.mark.skipif(not shutil.which("gpg"), reason="no gpg")


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a model that is not committed yet; the tests run inside of it."""
    git(tmp_path, "init", "--quiet", "project")
    monkeypatch.chdir(tmp_path / "project")
    store(Path("models/m"))
    return tmp_path / "project"


def keygen(name: str) -> str:
    """Make an SSH key beside the repository, and return its public half."""
    path = Path("..", name)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path.with_suffix(".pub").read_text().strip()


@pytest.fixture
def ada(top: Path) -> str:
    """Ada's public key, with which the model is committed and tagged; she is an allowed signer."""
    key = keygen("ada")
    for name, value in {
        "gpg.format": "ssh",
        "user.signingKey": str(top.parent / "ada.pub"),
        "commit.gpgSign": "true",
        "gpg.ssh.allowedSignersFile": str(top.parent / "allowed"),
    }.items():
        git(top, "config", name, value)
    commit_all(top)
    allow(f"ada@example.org {key}")
    return key


def allow(*lines: str) -> None:
    Path("../allowed").write_text("".join(f"{line}\n" for line in lines))


def signature_line(done: Done) -> str:
    """Return what is said of the signature, the names of objects and keys left out."""
    [_, line] = done.lines
    words = line.split()
    words[2] = "…"
    return " ".join("…" if "SHA256:" in word else word for word in words)


# --- SSH -----------------------------------------------------------------------------------------


@ssh
def test_a_commit_by_an_allowed_signer(ada: str) -> None:
    done = run("verify", "--signed", MODEL)
    assert (done.code, done.err) == (0, "")
    fingerprint = subprocess.check_output(["ssh-keygen", "-lf", "../ada.pub"], text=True).split()[1]
    commit = git(Path(), "rev-parse", "HEAD")
    signer = f"ada@example.org, ED25519 key {fingerprint}"
    assert done.lines == [
        f"ok       {MODEL}: 9 files, every checksum holds",
        f"signed   commit {commit[:12]} is signed by {signer}, trust fully",
    ]


@ssh
@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ("", UNKNOWN),
        (
            "ada@example.org {other}",
            UNKNOWN,
        ),
        (
            'ada@example.org valid-before="20200101" {ada}',
            LATE,
        ),
        (
            'ada@example.org valid-after="20990101" {ada}',
            LATE,
        ),
        ('ada@example.org namespaces="file" {ada}', OTHER),
    ],
    ids=["nobody", "another key", "expired", "not valid yet", "for other things"],
)
def test_a_key_that_does_not_count(ada: str, allowed: str, said: str) -> None:
    allow(allowed.format(ada=ada, other=keygen("other")))
    done = run("verify", "--signed", MODEL)
    assert done.code == 1
    assert signature_line(done) == said


@ssh
def test_a_revoked_key(ada: str) -> None:
    Path("../revoked").write_text(f"{ada}\n")
    git(Path(), "config", "gpg.ssh.revocationFile", str(Path("../revoked").resolve()))
    done = run("verify", "--signed", MODEL)
    assert done.code == 1
    assert signature_line(done) == (
        "REFUSED commit … was signed by ada@example.org, ED25519 key … which was revoked"
    )
    Path("../revoked").unlink()  # git only warns then
    assert "revocation file configured but not found" in refused("verify", "--signed", MODEL)


@ssh
def test_a_commit_that_was_altered(ada: str) -> None:
    content = git(Path(), "cat-file", "commit", "HEAD").replace("Change", "Chance")
    altered = git(Path(), *WRITE, stdin=f"{content}\n".encode())
    done = run("verify", "--signed", f"{altered}:models/m")
    assert done.code == 1
    assert signature_line(done) == (
        "REFUSED commit … has a bad signature: it was altered, or the signature was"
    )


@ssh
def test_what_is_not_signed(ada: str) -> None:
    git(Path(), "commit", "--quiet", "--no-gpg-sign", "--allow-empty", "--message", "gpgsig -----")
    done = run("verify", "--signed", MODEL)
    assert done.code == 1
    assert signature_line(done) == "UNSIGNED commit … is not signed"


@ssh
def test_a_tag_is_asked_for_its_own_signature(ada: str) -> None:
    git(Path(), "tag", "--sign", "--message", "Good", "good")
    git(Path(), "tag", "--annotate", "--no-sign", "--message", "None", "none")
    git(Path(), "tag", "light")
    good, none, light = (run("verify", "--signed", f"{name}:models/m") for name in
                         ("good", "none", "light"))  # fmt: skip
    assert (good.code, none.code, light.code) == (0, 1, 0)
    assert signature_line(good).startswith("signed tag … is signed by ada@example.org")
    assert signature_line(none) == (
        "UNSIGNED tag … is not signed; for the commit that it names, write 'none^{commit}'"
    )
    assert signature_line(light).startswith("signed commit … is signed by ada@example.org")
    assert run("verify", "--signed", "none^{commit}:models/m").code == 0


@ssh
def test_damage_and_signature_are_told_apart(ada: str) -> None:
    Path("models/m/model.json").write_text("{}\n")
    commit_all(Path())
    [report] = json.loads(run("verify", "--signed", "--json", MODEL).out)
    assert (report["whole"], report["signature"]["verdict"]) == (False, "good")
    assert run("verify", "--signed", MODEL).code == 1


@ssh
def test_the_signature_in_python(ada: str) -> None:
    report = kvcs.verify(MODEL, signed=True)
    assert report
    assert isinstance(report, SignedReport)
    assert (report.signature.signer, report.signature.trust) == ("ada@example.org", "fully")
    allow("")
    report = kvcs.verify(MODEL, signed=True)
    assert not report
    assert not report.problems


@ssh
def test_nothing_that_git_replace_puts_in_the_place_of_what_was_signed(ada: str) -> None:
    """The commit is signed, and so is its tree by its hash; another blob is shown for one of it."""
    old = git(Path(), "rev-parse", f"{MODEL}/layers/dense/bias.npy")
    store(Path("models/m"), bias=9.0)
    files = ("layers/dense/bias.npy", "layers/dense/layer.json", "model.json")
    for path in files:
        old = git(Path(), "rev-parse", f"{MODEL}/{path}")
        git(Path(), "replace", old, git(Path(), "hash-object", "-w", f"models/m/{path}"))
    assert kvcs.digest(MODEL) == kvcs.digest("models/m")  # what git shows to everybody
    report = kvcs.verify(MODEL, signed=True)
    assert report
    for path in files:
        git(Path(), "replace", "--delete", git(Path(), "rev-parse", f"{MODEL}/{path}"))
    assert kvcs.digest(MODEL) != kvcs.digest("models/m")


# --- what cannot be asked ------------------------------------------------------------------------


@ssh
def test_git_must_be_able_to_check(ada: str) -> None:
    git(Path(), "config", "--unset", "gpg.ssh.allowedSignersFile")
    said = refused("verify", "--signed", MODEL)
    assert "gpg.ssh.allowedSignersFile needs to be configured" in said
    git(Path(), "config", "gpg.ssh.allowedSignersFile", "/nowhere/allowed")
    assert 'Unable to open allowed keys file "/nowhere/allowed"' in refused(
        "verify", "--signed", MODEL
    )
    git(Path(), "config", "gpg.ssh.program", "/nowhere/ssh-keygen")
    assert "/nowhere/ssh-keygen" in refused("verify", "--signed", MODEL)


@pytest.mark.parametrize(
    ("operand", "said"),
    [
        ("models/m", "models/m is in no commit, and only commits and tags are signed"),
        (":models/m", "':models/m' is in the index, and only commits and tags are signed"),
        ("HEAD^{tree}:models/m", "'HEAD^{tree}' is a tree, which has no signature"),
        ("nothing:models/m", "There is no revision 'nothing'"),
        ("HEAD:models/other", "There is no directory 'models/other'"),
    ],
)
def test_what_has_no_signature(top: Path, operand: str, said: str) -> None:
    commit_all(top)
    assert said in refused("verify", "--signed", operand)


def test_every_model_here_is_in_no_commit(top: Path) -> None:
    assert "models/m is in no commit" in refused("verify", "--signed")


def test_a_live_model_is_in_no_commit() -> None:
    with pytest.raises(OperandError, match="a live model is in no commit"):
        kvcs.verify(object(), signed=True)


# --- GPG -----------------------------------------------------------------------------------------


@pytest.fixture
def keyring(top: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty keyring. Its path is short, since it holds sockets."""
    with tempfile.TemporaryDirectory(prefix="gpg", ignore_cleanup_errors=True) as directory:
        monkeypatch.setenv("GNUPGHOME", directory)
        yield Path(directory)
        for home in (directory, f"{directory}/other"):
            subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)


def in_gpg(*arguments: str) -> str:
    command = ["gpg", "--batch", "--quiet", "--yes", "--passphrase", "", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sign_with_gpg(top: Path, *options: str) -> str:
    """Make a key, and commit with it; return its fingerprint."""
    who = "Ada Example <ada@example.org>"
    in_gpg(*options, "--quick-generate-key", who, "ed25519", "sign", "1d" if options else "0")
    listed = in_gpg("--list-keys", "--with-colons").splitlines()
    fingerprint = next(line.split(":")[9] for line in listed if line.startswith("fpr"))
    git(top, "config", "user.signingKey", fingerprint)
    git(top, "config", "commit.gpgSign", "true")
    commit_all(top)
    return fingerprint


@gpg
def test_a_commit_with_a_key_of_ones_own(top: Path, keyring: Path) -> None:
    fingerprint = sign_with_gpg(top)
    done = run("verify", "--signed", MODEL)
    assert done.code == 0
    assert signature_line(done) == (
        "signed commit … is signed by Ada Example <ada@example.org>, "
        f"key {fingerprint}, trust ultimate"
    )
    git(top, "tag", "--sign", "--message", "Good", "good")
    assert run("verify", "--signed", "good:models/m").code == 0


@gpg
def test_trust_in_the_key_of_somebody_else(
    top: Path, keyring: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = sign_with_gpg(top)
    exported = keyring / "exported"
    in_gpg("--output", str(exported), "--export")
    (keyring / "other").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(keyring / "other"))
    unknown = run("verify", "--signed", MODEL)
    assert unknown.code == 1
    assert "was signed with a key that is not known here: key" in signature_line(unknown)
    in_gpg("--import", str(exported))
    imported = run("verify", "--signed", MODEL)
    assert imported.code == 0
    assert imported.lines[1].endswith("trust undefined")
    git(top, "config", "gpg.minTrustLevel", "marginal")
    too_little = run("verify", "--signed", MODEL)
    assert too_little.code == 1
    assert too_little.lines[1].endswith("which is not trusted: trust undefined")
    git(top, "config", "--unset", "gpg.minTrustLevel")
    subprocess.run(["gpg", "--import-ownertrust"], input=f"{fingerprint}:3:\n".encode(),
                   capture_output=True, check=True)  # fmt: skip
    (keyring / "other/gpg.conf").write_text("trust-model direct\n")
    never = run("verify", "--signed", MODEL)
    assert (never.code, never.lines[1][-11:]) == (1, "trust never")


@gpg
def test_a_revoked_gpg_key(top: Path, keyring: Path) -> None:
    fingerprint = sign_with_gpg(top)
    revocation = keyring / "openpgp-revocs.d" / f"{fingerprint}.rev"
    revocation.write_text(revocation.read_text().replace(":-----", "-----"))
    in_gpg("--import", str(revocation))
    revoked = run("verify", "--signed", MODEL)
    assert (revoked.code, revoked.lines[1].endswith("which was revoked")) == (1, True)


@gpg
def test_an_expired_gpg_key(top: Path, keyring: Path) -> None:
    fingerprint = sign_with_gpg(top)
    in_gpg("--quick-set-expire", fingerprint, "seconds=1")
    expired = run("verify", "--signed", MODEL)
    while expired.code == 0:  # within that second
        expired = run("verify", "--signed", MODEL)
    assert (expired.code, "which has expired" in expired.lines[1]) == (1, True)


@gpg
def test_a_signature_that_expires(top: Path, keyring: Path) -> None:
    (keyring / "gpg.conf").write_text("default-sig-expire seconds=1\n")
    sign_with_gpg(top)
    done = run("verify", "--signed", MODEL)
    while done.code == 0:
        done = run("verify", "--signed", MODEL)
    assert (done.code, done.lines[1].endswith("and the signature has expired")) == (1, True)


@gpg
def test_a_gpg_signature_of_something_else(top: Path, keyring: Path) -> None:
    sign_with_gpg(top)
    content = git(top, "cat-file", "commit", "HEAD").replace("Change", "Chance")
    altered = git(top, *WRITE, stdin=f"{content}\n".encode())
    done = run("verify", "--signed", f"{altered}:models/m")
    assert (done.code, "has a bad signature" in done.lines[1]) == (1, True)


@ssh
@pytest.mark.parametrize("names", ["sha1", "sha256"])
def test_repositories_of_other_kinds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    """With other names of objects, and without a working tree."""
    git(tmp_path, "init", "--quiet", f"--object-format={names}", "project")
    monkeypatch.chdir(tmp_path / "project")
    store(Path("models/m"))
    key = keygen("ada")
    settings = {"gpg.format": "ssh", "user.signingKey": "../ada.pub", "commit.gpgSign": "true"}
    for name, value in settings.items():
        git(Path(), "config", name, value)
    commit_all(Path())
    git(Path(), "tag", "--sign", "--message", "Good", "good")
    git(tmp_path, "clone", "--quiet", "--bare", "project", "bare")
    monkeypatch.chdir(tmp_path / "bare")
    git(Path(), "config", "gpg.ssh.allowedSignersFile", str(tmp_path / "allowed"))
    allow(f"ada@example.org {key}")
    for operand in (MODEL, "good:models/m"):
        done = run("verify", "--signed", operand)
        assert (done.code, done.err) == (0, ""), done
