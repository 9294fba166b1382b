"""Python objects in a config become values that can be stored, and come back as what they were.

Keras' own serialisation loses tuples, sets, ranges and complex numbers, and hands arrays, slices
and bytes to a constructor as raw dicts. Here a constructor gets the objects that `get_config`
returned; only a class with a `from_config` of its own, which expects Keras' dicts, gets those.
"""

from __future__ import annotations

import base64
import inspect
import linecache
import marshal
import types
import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

import keras
import numpy as np
from keras.src.api_export import get_name_from_symbol
from keras.src.backend import Variable
from keras.src.saving import serialization_lib
from keras.src.saving.keras_saveable import KerasSaveable
from keras.src.utils import python_utils

from kvcs.canon import is_object
from kvcs.errors import RestoreError
from kvcs.npy import dtype_name
from kvcs.spec import ClassRef, TensorRef, Value, VariableRef
from kvcs.trust import is_known_class, public_module

SOURCE = "<lambda>"  # the file name of every stored lambda

_PLAIN = (str, int, float, complex, bool, bytes, slice, range, type(None), type(Ellipsis))


def class_of(thing: Any) -> ClassRef:
    """Return how Keras refers to a class, or to that of an object."""
    cls = thing if isinstance(thing, type) else type(thing)
    if cls.__module__.startswith("keras.src.backend."):  # as optimizers under torch are
        cls = next((base for base in cls.__mro__ if get_name_from_symbol(base)), cls)
    found = serialization_lib.serialize_with_public_class(cls) or {}
    module = found.get("module", cls.__module__)
    return ClassRef(
        module=None if module == "__main__" else module,
        name=found.get("class_name", cls.__name__),
        registered_name=found.get("registered_name"),
    )


def portable(value: Any, *, exact: bool) -> Value:
    """Return a value of a config as one that can be stored.

    Args:
        value: anything that `get_config` returned.
        exact: keep tuples as tuples, and NumPy scalars as such. Keras' own classes take a list
            or a Python number in their place, and a `.keras` file holds those; so theirs are
            written as lists and numbers.

    Raises:
        TypeError: something that no constructor could get back; the text names it.
    """
    if isinstance(value, np.generic):
        return _portable_scalar(value, exact=exact)
    if isinstance(value, _PLAIN):
        return _plain(value)
    if isinstance(value, Mapping):
        return _portable_dict(dict(value), exact=exact)
    if isinstance(value, list | tuple):
        items = [portable(item, exact=exact) for item in value]
        return tuple(items) if exact and isinstance(value, tuple) else items
    if isinstance(value, set | frozenset):
        return type(value)(portable(item, exact=True) for item in value)
    if isinstance(value, np.ndarray):
        return _portable_array(value)
    if isinstance(value, TensorRef | VariableRef | ClassRef):
        return value
    if isinstance(value, type):
        return _portable_class(value)
    return _portable_object(value, exact=exact)


def _plain(value: Any) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)  # of an enum with a str base, its value
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def _portable_dict(value: dict[Any, Any], *, exact: bool) -> Value:
    if value.get("class_name") == "__lambda__":
        return _portable_lambda(value)
    if is_object(value):
        exact = not ClassRef(value.get("module"), value["class_name"]).builtin
        value = {key: item for key, item in value.items() if key != "shared_object_id"}
        if isinstance(value.get("module"), str):
            value["module"] = public_module(value["module"])
    return {key: portable(item, exact=exact) for key, item in value.items()}


def _portable_class(value: type) -> ClassRef:
    found = class_of(value)
    known = keras.saving.get_registered_object(found.registered_name or "") is value
    if not (found.builtin or known or issubclass(value, KerasSaveable)):
        raise TypeError(
            f"the class {value.__name__}: register it with "
            "@keras.saving.register_keras_serializable"
        )
    return found


def find_class(ref: ClassRef) -> type:
    """Find a class: Keras' own by its module, a custom one by its name.

    A module is imported only if it is known to be one of Keras' own with such a class in it, for
    to import is to run, or if the model is trusted as a whole.

    Raises:
        RestoreError: it is not known here.
    """
    trusted = serialization_lib.in_safe_mode() is False
    if is_known_class(ref.module, ref.name) or (ref.builtin and trusted):
        with suppress(ModuleNotFoundError):
            found = getattr(import_module(ref.module or "keras"), ref.name, None)
            if isinstance(found, type):
                return found
    for name in (ref.registered_name, ref.name):
        found = name and keras.saving.get_registered_object(name)
        if isinstance(found, type):
            return found
    if ref.builtin:
        raise RestoreError(f"Keras {keras.__version__} has no class {ref.module}.{ref.name}")
    raise RestoreError(
        f"its class is not known here (it was defined in module {ref.module!r}): pass "
        f"custom_objects={{{ref.name!r}: {ref.name}}}, or register it with "
        "@keras.saving.register_keras_serializable and import its module first (--import "
        "MODULE on the command line)"
    )


def _portable_lambda(value: dict[Any, Any]) -> Value:
    """Return a lambda in Keras' form, its code the same whenever and wherever it is written."""
    config = dict(value["config"])
    if "code" in config:  # as the Lambda layer writes it, else as serialize_keras_object does
        config["code"] = _stable_code(config["code"])
    else:
        code, *rest = config["value"]
        config["value"] = [_stable_code(code), *rest]
    return {"class_name": "__lambda__", "config": portable(config, exact=True)}


def _stable_code(text: str) -> str:
    """Return marshalled code without the path and line of its source.

    Version 2 of the marshal format has no flags that depend on who else holds an object.
    """
    code = _without_source(marshal.loads(base64.b64decode(text)))
    return base64.encodebytes(marshal.dumps(code, 2)).decode()


def _without_source(code: types.CodeType) -> types.CodeType:
    constants = tuple(
        _without_source(one) if isinstance(one, types.CodeType) else one for one in code.co_consts
    )
    return code.replace(co_consts=constants, co_filename=SOURCE, co_firstlineno=1)


def _portable_scalar(value: np.generic[Any], *, exact: bool) -> Value:
    if isinstance(value, np.bytes_):
        return bytes(value)
    plain = value.item()
    if isinstance(plain, np.generic):
        raise TypeError(f"a NumPy scalar of dtype {value.dtype}, which Python has no number for")
    if not exact:
        return portable(plain, exact=exact)
    dtype_name(value.dtype)  # raises for dates
    return value


def _portable_array(value: np.ndarray[Any, Any]) -> Value:
    dtype_name(value.dtype)  # raises for objects
    return value


def _portable_object(value: Any, *, exact: bool) -> Value:
    if isinstance(value, Variable) or keras.ops.is_tensor(value):
        return _portable_array(np.asarray(keras.ops.convert_to_numpy(value)))
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType):
        return portable(_keras_form_of(value), exact=exact)
    if hasattr(value, "get_config"):
        return described(value)
    return portable(_keras_form_of(value), exact=exact)


def _keras_form_of(value: Any) -> Any:
    """Let Keras serialise what only it knows: functions, backend dtypes and shapes."""
    if isinstance(value, types.FunctionType) and value.__name__ == "<lambda>":
        # Not by Keras, which looks for the source, and a session that was typed has none.
        return {"class_name": "__lambda__", "config": {"value": python_utils.func_dump(value)}}
    module, _, name = (get_name_from_symbol(value) or "").rpartition(".")
    if module in ("keras.ops", "keras.random"):  # Keras leaves the module out, and needs it
        return {
            "module": module,
            "class_name": "function",
            "config": name,
            "registered_name": name,
        }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on lambdas: loading them is what must be refused
            return serialization_lib.serialize_keras_object(value)
    except Exception as error:
        raise TypeError(f"{type(value).__name__} {value!r:.80} ({error})") from error


def described(thing: Any) -> dict[str, Value]:
    """Return a Keras object as a class reference with its config, as Keras serialises it."""
    cls = class_of(thing)
    found: dict[str, Value] = {
        "module": cls.module,
        "class_name": cls.name,
        "config": portable_config(_whole_config(thing, cls), cls),
        "registered_name": cls.registered_name,
    }
    if hasattr(thing, "get_build_config"):
        build_config = thing.get_build_config()
        if build_config is not None:
            found["build_config"] = portable_build_config(build_config)
    return found


def _whole_config(thing: Any, cls: ClassRef) -> Any:
    """Return the config of a loss, a metric and the like, with what Keras leaves out of it.

    Raises:
        TypeError: a class of one's own does not tell what its constructor was given.
    """
    config = thing.get_config()
    if isinstance(thing, keras.Operation) or not isinstance(config, Mapping):
        return config  # of layers, Keras keeps the arguments itself
    taken = {
        name: parameter
        for name, parameter in inspect.signature(type(thing)).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    if cls.builtin:
        return {**config, **_left_out(thing, config, taken)}
    owner = next(base for base in type(thing).__mro__ if "get_config" in vars(base))
    missing = sorted(taken.keys() - config.keys() - {"name", "dtype"})
    if owner.__module__.startswith("keras.") and missing:
        raise TypeError(
            f"{cls.name}: its constructor takes {', '.join(missing)}, and its class has no "
            "get_config() that gives it back"
        )
    return config


def _left_out(
    thing: Any, config: Mapping[str, Any], taken: Mapping[str, inspect.Parameter]
) -> dict[str, Any]:
    """Return arguments such as the `delta` of `Huber`, which Keras' get_config() drops (3.15)."""
    given = dict(getattr(thing, "_fn_kwargs", {}))
    if isinstance(thing, keras.losses.Loss) and thing.dtype != keras.config.floatx():
        given["dtype"] = thing.dtype
    return {
        name: value
        for name, value in given.items()
        if name in taken and name not in config and value != taken[name].default
    }


def portable_config(config: Any, cls: ClassRef) -> dict[str, Value]:
    """Return a whole config as one that can be stored.

    Raises:
        TypeError: the config is no dict, or holds something that cannot be stored; the text
            names the argument.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"its get_config() returns {type(config).__name__} instead of a dict")
    found = {}
    for key, item in config.items():
        try:
            found[key] = portable(item, exact=not cls.builtin)
        except TypeError as error:
            raise TypeError(f"argument {key!r} cannot be stored: {error}") from error
    return found


def portable_build_config(config: Any) -> Value:
    """Return a build config; shapes in it are lists, as in a `.keras` file."""
    return portable(config, exact=False)


def revive(value: Value, *, keras_form: bool) -> Any:
    """Return a stored value as a constructor (or, in Keras' form, a `from_config`) expects it."""
    if isinstance(value, dict):
        return {key: revive(item, keras_form=keras_form) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [revive(item, keras_form=keras_form) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, set | frozenset):
        return type(value)(revive(item, keras_form=keras_form) for item in value)
    if isinstance(value, ClassRef):
        return find_class(value)
    return _to_keras_form(value) if keras_form else value


def give_lambdas_a_source() -> None:
    """Let restored lambdas be described: Keras looks up the source then, and they have none."""
    linecache.cache[SOURCE] = (0, None, ["lambda: 'restored by kvcs'\n"], SOURCE)


def with_functions(value: Any) -> Any:
    """Return a config with functions in place of lambdas: most constructors make none of them.

    This makes code of the model callable. The Lambda layer's own form stays.
    """
    if isinstance(value, dict):
        if value.get("class_name") == "__lambda__" and "value" in value["config"]:
            return python_utils.func_load(value["config"]["value"])
        return {key: with_functions(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [with_functions(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    return value


def _to_keras_form(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        content = {"value": value.tolist(), "dtype": value.dtype.name}
        return {"class_name": "__numpy__", "config": content}
    if isinstance(value, bytes):
        try:
            return {"class_name": "__bytes__", "config": {"value": value.decode()}}
        except UnicodeDecodeError:
            return value
    if isinstance(value, slice):
        content = {"start": value.start, "stop": value.stop, "step": value.step}
        return {"class_name": "__slice__", "config": content}
    if value is Ellipsis:
        return {"class_name": "__ellipsis__", "config": {}}
    return value
