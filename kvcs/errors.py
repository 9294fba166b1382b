"""Every error kvcs raises on purpose.

An error is a sentence: what happened, where, and what to do about it. The command line
catches `KvcsError` and nothing else, so that a bug keeps its traceback. Foreign exceptions
(from git, Keras, h5py, the file system) are translated by the module that owns the foreign
thing.
"""

from __future__ import annotations


class KvcsError(Exception):
    """The root of all errors that kvcs raises on purpose; its text is meant for the user."""


class OperandError(KvcsError):
    """A MODEL operand names nothing that exists, or nothing that kvcs can read."""


class NotAModelError(OperandError):
    """The place exists, but holds no model directory."""


class RepositoryError(KvcsError):
    """git said no: no repository, no such revision, a merge under way, a failing hook."""


class FormatError(KvcsError):
    """A stored file does not follow the format.

    The error grows its address while it travels up: the innermost reader knows the key, its
    caller knows the file, the outermost knows the model.
    """

    def __init__(self, message: str, *, address: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.address = address

    def within(self, outer: str) -> FormatError:
        """Return the same error, seen from one level further out."""
        if not self.address:
            address = outer
        elif self.address.startswith("[") or outer.endswith(": "):
            address = outer + self.address
        else:
            address = f"{outer}.{self.address}"
        return type(self)(self.message, address=address)

    def __str__(self) -> str:
        return f"{self.address}: {self.message}" if self.address else self.message


class NewerFormatError(FormatError):
    """The model was written by a newer kvcs, in a format this one does not know."""


class DamageError(KvcsError):
    """A stored model is not whole: something is missing, extra or altered."""


class AbsentError(RepositoryError):
    """Part of a stored model is not on this machine (Git LFS, partial clone), nor to be had."""


class PolicyError(KvcsError):
    """A `.kvcs.toml` cannot be read, or says something that is no rule."""


class ForgeError(KvcsError):
    """GitHub or GitLab did not answer, or said no."""


class SaveError(KvcsError):
    """A live model cannot be saved, or not to that place."""


class RestoreError(KvcsError):
    """A stored model is whole, but cannot be turned into a live Keras model here."""


class RefusedError(RestoreError):
    """A model names something that is neither known nor trusted, and loading it would run it."""


class RestoreWarning(UserWarning):
    """A model was restored by another Keras than the one that stored it, with differences."""
