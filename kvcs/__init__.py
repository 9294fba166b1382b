"""kvcs: a Git-friendly, diffable repository for Keras models.

    import kvcs

    kvcs.save(model, "models/mnist")                    live model -> directory
    kvcs.commit(model, "models/mnist", "Widen head")    the same, and a git commit
    model = kvcs.load("v1.0:models/mnist")              any revision -> live model
    kvcs.verify("models/mnist")                         true when every checksum holds
    kvcs.diff("v1.0:models/mnist", "models/mnist")      what changed; false when nothing did
    kvcs.check("v1.0:models/mnist", "models/mnist")     does the change keep the rules?
    kvcs.digest("models/mnist")                         "sha256:…"
    kvcs.log("models/mnist")                            its versions, and what changed in each
    kvcs.blame("models/mnist")                          for each layer, what changed it last
    kvcs.find("deployed.keras")                         the revisions that hold a model
    kvcs.callbacks.Commit("models/mnist")               a commit after each epoch of `fit`

Every function takes the same operand MODEL: a directory, `REV:DIR` as in git, a saved Keras file,
or a live `keras.Model`. Importing kvcs imports neither Keras nor git; a function imports what it
needs when it is called.

Read the package from below: `spec` (the values), `tree` (the stored format), `comparison` (what
changed), `rules` (what may change), `workdir`, `repo`, `keras_io` and `forge` (the world:
directories, git, Keras, GitHub and GitLab), `render` (words), `commands` (the use cases), `cli`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kvcs.errors import KvcsError, RestoreWarning

if TYPE_CHECKING:
    from kvcs.commands.blame import blame
    from kvcs.commands.check import check
    from kvcs.commands.commit import commit
    from kvcs.commands.diff import diff
    from kvcs.commands.digest import digest
    from kvcs.commands.find import find
    from kvcs.commands.load import load
    from kvcs.commands.log import log
    from kvcs.commands.model_json import model_from_json, model_to_json
    from kvcs.commands.save import save
    from kvcs.commands.verify import verify

__version__ = "0.1.0"

__all__ = [
    "KvcsError",
    "RestoreWarning",
    "__version__",
    "blame",
    "check",
    "commit",
    "diff",
    "digest",
    "find",
    "load",
    "log",
    "model_from_json",
    "model_to_json",
    "save",
    "verify",
]

_HOMES = {
    "blame": "kvcs.commands.blame",
    "check": "kvcs.commands.check",
    "commit": "kvcs.commands.commit",
    "diff": "kvcs.commands.diff",
    "digest": "kvcs.commands.digest",
    "find": "kvcs.commands.find",
    "load": "kvcs.commands.load",
    "log": "kvcs.commands.log",
    "model_from_json": "kvcs.commands.model_json",
    "model_to_json": "kvcs.commands.model_json",
    "save": "kvcs.commands.save",
    "verify": "kvcs.commands.verify",
}


def __getattr__(name: str) -> Any:
    if name == "callbacks":  # a module, which needs Keras
        return import_module("kvcs.callbacks")
    if name not in _HOMES:
        raise AttributeError(f"module 'kvcs' has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, "callbacks"})
