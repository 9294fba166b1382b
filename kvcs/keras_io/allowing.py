"""What a caller trusts, and Keras' own: found, and checked to be what their names say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.layers.preprocessing.index_lookup import IndexLookup
from keras.src.saving.keras_saveable import KerasSaveable
from keras.src.saving.serialization_lib import SafeModeScope

from kvcs.errors import RefusedError
from kvcs.spec import ClassRef
from kvcs.trust import Trust

# Keras up to 3.6 wrote the bare name of a function that is registered as `package>name`.
_PACKAGE = ">"


@contextmanager
def trusting(
    custom_objects: Mapping[str, Any] | None, allow: Sequence[str], *, safe_mode: bool
) -> Iterator[Trust | None]:
    """Open Keras' scopes for the loading of a model, and return what is trusted in them.

    Args:
        custom_objects: classes and functions by name.
        allow: modules whose classes are trusted.
        safe_mode: trust nothing else; if false, all is trusted, and None is returned.
    """
    scope = keras.saving.CustomObjectScope(dict(custom_objects or {}))
    with scope, SafeModeScope(safe_mode):
        yield Trust(given, _reads_files, tuple(allow)) if safe_mode else None


def given(name: str) -> Any:
    """Return what was passed or registered under a name, or None."""
    found = keras.saving.get_registered_object(name)
    if found is None and _PACKAGE not in name:
        registered = keras.saving.get_custom_objects()
        ends = (key for key in registered if key.endswith(f"{_PACKAGE}{name}"))
        return registered.get(next(ends, ""))
    return found


def _reads_files(found: Any) -> bool:
    lookups = (IndexLookup, keras.layers.TextVectorization)
    hub = str(getattr(found, "__module__", "")).partition(".")[0] in ("keras_hub", "keras_nlp")
    return hub or (isinstance(found, type) and issubclass(found, lookups))


@contextmanager
def met_classes(trust: Trust | None) -> Iterator[None]:
    """Let Keras find the classes of modules that the caller trusts, which were met in a model.

    Raises:
        RefusedError: there is no such class, or two have the same name.
    """
    # A scope takes the place of the one around it.
    found = dict(global_state.get_global_attribute("custom_objects_scope_dict", {}))
    for ref in sorted(trust.met, key=repr) if trust else ():
        cls = _class_of_module(ref)
        name = ref.registered_name or ref.name
        if found.setdefault(name, cls) is not cls:
            raise RefusedError(
                f"two classes in the model have the name {name!r}: pass the one that is meant in "
                "custom_objects"
            )
    with keras.saving.CustomObjectScope(found):
        yield


def _class_of_module(ref: ClassRef) -> type:
    """Import a class of a module that the caller trusts.

    Only one that Keras can serialise, and that is of that library: not what it imports itself.
    """
    assert ref.module is not None
    try:
        found = getattr(import_module(ref.module), ref.name, None)
    except ImportError as error:
        raise RefusedError(f"cannot import {ref.module}, which has {ref.name}: {error}") from None
    library = ref.module.partition(".")[0]
    if (
        not (isinstance(found, type) and issubclass(found, KerasSaveable))
        or found.__module__.partition(".")[0] != library
    ):
        raise RefusedError(f"{ref.module}.{ref.name} is no class of {library} that Keras can load")
    return found
