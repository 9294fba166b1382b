"""One class or function that a config names: known, trusted by the caller, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kvcs.errors import RefusedError
from kvcs.spec import ClassRef
from kvcs.trust import known
from kvcs.trust.known import UNSAFE

# Settings that are contents, and the path of a file if they are a text, which is read then.
FILES = ("vocabulary", "merges", "proto", "idf_weights")
# Libraries of which each class that has such a setting reads the file.
_READERS = ("keras", "keras_hub", "keras_nlp", "keras_cv")


@dataclass(frozen=True, slots=True)
class Trust:
    """What a caller trusts besides Keras' own.

    Attributes:
        given: what was passed or registered under a name, or None.
        reads_files: tells of a class that was given whether its settings can be paths of files.
        modules: modules, and all below them, of which every class that Keras can serialise is
            admitted.
        met: the classes of such modules that were met.
    """

    given: Callable[[str], Any] = lambda name: None
    reads_files: Callable[[Any], bool] = lambda found: False
    modules: tuple[str, ...] = ()
    met: set[ClassRef] = field(default_factory=set)

    def is_given(self, *names: str | None) -> bool:
        """Tell whether something was passed or registered under one of some names."""
        return any(name and self.given(name) is not None for name in names)

    def allows(self, module: str | None) -> bool:
        """Tell whether a module is, or is below, one that the caller trusts."""
        return any(module == one or str(module).startswith(f"{one}.") for one in self.modules)


def judge_class(ref: ClassRef, trust: Trust, bare: bool = False) -> None:
    """Admit a class, or refuse it.

    Args:
        ref: how a config names it.
        trust: what the caller trusts.
        bare: the config says no module at all, as configs did before Keras 3.

    Raises:
        RefusedError: it is neither known nor trusted; the text says what to do.
    """
    if ref.builtin and known.is_known_class(ref.module, ref.name):
        if ref.registered_name not in (None, ref.name):
            raise RefusedError(
                f"{ref.module}.{ref.name} is Keras' own, and is said to be registered as "
                f"{ref.registered_name!r}, which another class may be. {UNSAFE}"
            )
    elif ref.builtin and ref.name in known.RUNS_CODE:
        raise RefusedError(f"{known.RUNS_CODE[ref.name]}. {UNSAFE}")
    elif trust.is_given(ref.registered_name, None if ref.builtin else ref.name):
        return
    elif trust.allows(ref.module):
        trust.met.add(ref)
    elif bare and ref.name in known.RUNS_CODE:
        raise RefusedError(f"{known.RUNS_CODE[ref.name]}. {UNSAFE}")
    elif ref.builtin:
        raise RefusedError(
            f"{ref.module}.{ref.name} is no class that models of Keras {known.keras_version()} "
            f"are made of. If you trust it, pass allow=[{ref.module!r}] (--allow {ref.module} on "
            "the command line)"
        )
    elif not (bare and ref.name in known.bare_classes()):
        raise RefusedError(_unknown_class(ref))


def _unknown_class(ref: ClassRef) -> str:
    allow = f" or allow=[{ref.module!r}]" if ref.module else ""
    return (
        f"its class is not known here (it was defined in module {ref.module!r}): pass "
        f"custom_objects={{{ref.name!r}: {ref.name}}}{allow}, or register it with "
        "@keras.saving.register_keras_serializable and import its module first (--import "
        "MODULE on the command line)"
    )


def judge_function(value: Mapping[str, Any], trust: Trust) -> None:
    """Admit a function, or refuse it.

    Args:
        value: the class reference by which Keras names a function.
        trust: what the caller trusts.

    Raises:
        RefusedError: it is neither known nor given; the text says what to do.
    """
    name, module = value["config"], value.get("module")
    if not isinstance(name, str):
        raise RefusedError("what is said to be a function has no name")
    if trust.is_given(name):
        return
    if module == "builtins":
        admitted = any(known.is_known_function(one, name) for one in known.BUILTINS)
    else:
        admitted = isinstance(module, str) and known.is_known_function(module, name)
    if admitted and value.get("registered_name") in (None, name, "function"):
        return
    if isinstance(module, str) and ClassRef(module, name).builtin:
        raise RefusedError(
            f"{module}.{name} is no function that calculates and does nothing else. {UNSAFE}"
        )
    raise RefusedError(
        f"the function {name!r} is not known here (it was defined in module {module!r}): pass "
        f"custom_objects={{{name!r}: {name}}}, or register it with "
        "@keras.saving.register_keras_serializable and import its module first (--import "
        "MODULE on the command line)"
    )


def judge_settings(ref: ClassRef, config: Mapping[Any, Any], trust: Trust) -> None:
    """Refuse settings for which a class reads a file.

    Raises:
        RefusedError: there is the path of a file; the text names the setting.
    """
    for key in FILES:
        value = config.get(key)
        if isinstance(value, str) and _reads_files(ref, trust):
            raise RefusedError(
                f"its {key} is the path of a file, {value!r:.60}, which loading it would read. "
                f"{UNSAFE}"
            )


def _reads_files(ref: ClassRef, trust: Trust) -> bool:
    given = [trust.given(name) for name in (ref.registered_name, ref.name) if name]
    found = next((one for one in given if one is not None), None)
    library = str(ref.module or "keras").partition(".")[0]
    return library in _READERS if found is None else trust.reads_files(found)
