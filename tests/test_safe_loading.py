"""What was used against Keras, one test for each way, in each form that a model has.

Every model here does something if it is believed: writes a file, reads one, changes a setting of
Keras. Each is refused with the place, and nothing of that happens.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import hostile
import keras
import numpy as np
import pytest
from cli import kvcs as run
from cli import refused
from keras.src.utils.python_utils import func_dump

import kvcs
from kvcs.errors import RefusedError, RestoreError
from kvcs.spec import Call, ClassRef

CANARY = "canary.txt"
SECRET = "secret.txt"
UNSAFE = "If you trust it, load it with safe_mode=False (--unsafe on the command line)"


def writes_a_file(x: Any) -> Any:
    from pathlib import Path

    Path("canary.txt").write_text("ran")
    return x


class WritesAFile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (Path(CANARY), "ran")


CODE = func_dump(writes_a_file)
BYTECODE = {
    "class_name": "__lambda__",
    "config": {"code": CODE[0], "defaults": None, "closure": None},
}
NESTED = {"class_name": "__lambda__", "config": {"value": list(CODE)}}


def function(name: str) -> dict[str, Any]:
    module, _, name = name.rpartition(".")
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def layer(name: str, /, **config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": name, "config": config, "registered_name": None}


def dense(**config: Any) -> dict[str, Any]:
    return layer("Dense", units=2, **config)


LAMBDA = "its config holds a lambda, and loading it runs code from the model"
NO_FUNCTION = "is no function that calculates and does nothing else"

# What is in the place of a layer, and what is said of it.
MECHANISMS: dict[str, tuple[dict[str, Any], str]] = {
    # CVE-2024-3660, CVE-2025-9905, CVE-2025-12481: bytecode
    "bytecode": (layer("Lambda", function=BYTECODE), LAMBDA),
    "bytecode as Keras 2 has it": (
        layer("Lambda", function=list(CODE), function_type="lambda"), LAMBDA,
    ),
    "bytecode of an activation": (dense(activation=NESTED), f"at config.activation, {LAMBDA}"),
    "bytecode deep inside": (
        layer("TimeDistributed", layer=layer("Wrapper", layer=dense(kernel_initializer=NESTED))),
        LAMBDA,
    ),
    "bytecode where nothing looks": (dense(note=[{"a": [NESTED]}]), LAMBDA),
    # CVE-2025-1550: a function of any module, called on the argument of a call
    "function of os": (layer("Lambda", function=function("os.system")), LAMBDA),
    "activation of os": (
        dense(activation=function("os.system")),
        "at config.activation, the function 'system' is not known here",
    ),
    "function of builtins": (
        dense(activation=function("builtins.eval")), "the function 'eval' is not known here",
    ),
    # CVE-2025-8747, CVE-2025-9906: a public function of Keras that does more than to calculate
    "get_file": (
        dense(activation=function("keras.utils.get_file")), f"keras.utils.get_file {NO_FUNCTION}",
    ),
    "unsafe mode": (
        dense(activation=function("keras.config.enable_unsafe_deserialization")), NO_FUNCTION,
    ),
    "a setting of Keras": (
        layer("Activation", activation=function("keras.config.set_floatx")), NO_FUNCTION,
    ),
    "any attribute in Keras": (
        dense(activation=function(
            "keras.src.backend.common.global_state.set_global_attribute")), NO_FUNCTION,
    ),
    "load_model": (dense(activation=function("keras.models.load_model")), NO_FUNCTION),
    "a function as a class": (
        {**layer("get_file"), "module": "keras.utils"},
        "keras.utils.get_file is no class that models of Keras",
    ),
    "a module inside Keras": (
        {**layer("X"), "module": "keras.src.layers.core.dense_test"}, "is no class that models",
    ),
    # CVE-2025-49655: a pickle
    "pickle": (
        layer("TorchModuleWrapper", module={"class_name": "__bytes__", "config": {
            "value": base64.b64encode(pickle.dumps(WritesAFile())).decode()}}),
        "a TorchModuleWrapper unpickles a module",
    ),
    # CVE-2026-1462: a model of TensorFlow, and others that are code
    "SavedModel": (layer("TFSMLayer", filepath="elsewhere"), "a TFSMLayer runs a SavedModel"),
    "jax": (layer("JaxLayer", call_fn=function("os.system")), "a JaxLayer runs code"),
    "flax": (layer("FlaxLayer", module="x"), "a FlaxLayer runs code"),
    # CVE-2025-12058: a file of this machine as a vocabulary
    "vocabulary": (
        layer("StringLookup", vocabulary=SECRET), "its vocabulary is the path of a file, 'secret",
    ),
    "vocabulary of integers": (
        layer("IntegerLookup", vocabulary="gs://bucket/file"), "its vocabulary is the path",
    ),
    "vocabulary of texts": (
        layer("TextVectorization", vocabulary=SECRET), "its vocabulary is the path of a file",
    ),
    "vocabulary inside": (
        layer("TimeDistributed", layer=layer("StringLookup", vocabulary=SECRET)),
        "at config.layer, its vocabulary is the path of a file",
    ),
    "weights of a vocabulary": (
        layer("StringLookup", vocabulary=["a"], output_mode="tf_idf", idf_weights=SECRET),
        "its idf_weights is the path",
    ),
    # later fixes without a number
    "a registered name": (
        {**dense(), "registered_name": "canary>Dense"},
        "keras.layers.Dense is Keras' own, and is said to be registered as 'canary>Dense'",
    ),
    "a type specification": (
        dense(note={"class_name": "__typespec__", "spec_name": "TensorSpec", "module": "os",
                    "registered_name": None, "config": []}),
        "its config holds a type specification",
    ),
    "a class of another module": (
        {**layer("Evil"), "module": "canary_module"},
        "its class is not known here (it was defined in module 'canary_module')",
    ),
    "a class without a name": (
        dense(kernel_initializer={**layer("X"), "class_name": 1}),
        "at config.kernel_initializer, a class in it has no name",
    ),
    "a class of another module inside": (
        dense(kernel_initializer={**layer("Evil"), "module": "canary_module"}),
        "at config.kernel_initializer, its class is not known here",
    ),
}  # fmt: skip

# What Keras' old form, which has no modules, cannot say.
NOT_IN_LEGACY = {
    "a function as a class", "a module inside Keras", "a class of another module",
    "a registered name",
}  # fmt: skip

mechanism = pytest.mark.parametrize("name", MECHANISMS)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Path(SECRET).write_text("password\n")
    Path("canary_module.py").write_text(
        f"open({CANARY!r}, 'w').close()\nimport keras\nclass Evil(keras.layers.Layer): pass\n"
    )


def refusal(load: Any, *arguments: Any, **options: Any) -> str:
    with hostile.nothing_runs(Path(CANARY)), pytest.raises(RefusedError) as caught:
        load(*arguments, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert "password" not in sentence
    return sentence


@mechanism
def test_in_a_directory(name: str, tmp_path: Path) -> None:
    victim, said = MECHANISMS[name]
    path = hostile.as_directory(victim, tmp_path / "model")
    sentence = refusal(kvcs.load, path)
    assert sentence.startswith(f"layer 'layers/victim' ({victim['class_name']}) cannot be built: ")
    assert said in sentence


@mechanism
def test_in_a_file_of_keras(name: str) -> None:
    victim, said = MECHANISMS[name]
    hostile.as_keras_file(victim, Path("model.keras"))
    sentence = refusal(kvcs.load, "model.keras")
    assert sentence.startswith(
        f"model.keras: layer 'victim' ({victim['class_name']}) cannot be built: "
    )
    assert said in sentence


@mechanism
def test_in_json(name: str) -> None:
    victim, said = MECHANISMS[name]
    sentence = refusal(kvcs.model_from_json, hostile.as_json(victim))
    assert sentence.startswith(f"layer 'victim' ({victim['class_name']}) cannot be built: ")
    assert said in sentence


@pytest.mark.parametrize("name", sorted(MECHANISMS.keys() - NOT_IN_LEGACY))
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_in_a_legacy_file(name: str) -> None:
    victim, said = MECHANISMS[name]
    hostile.as_legacy_file(victim, Path("model.h5"))
    assert said in refusal(kvcs.load, "model.h5")


@mechanism
def test_what_compares_and_shows_does_not_believe_it_either(name: str, tmp_path: Path) -> None:
    """Of a directory, all is said that there is to say, for nothing is built; a file is refused."""
    victim, _ = MECHANISMS[name]
    path = str(hostile.as_directory(victim, tmp_path / "model"))
    hostile.as_keras_file(victim, Path("model.keras"))
    kvcs.save(hostile.honest(), "honest")
    with hostile.nothing_runs(Path(CANARY)):
        for command in (
            ["show", path],
            ["verify", path],
            ["digest", path],
            ["diff", path, "honest"],
        ):
            assert run(*command).code == 0
        for command in (["show"], ["digest"], ["diff", "honest"]):
            done = run(*command, "model.keras")
            assert done.code in (0, 2)
            assert len(done.err.splitlines()) == (1 if done.code else 0)


def test_on_the_command_line(tmp_path: Path) -> None:
    victim, _ = MECHANISMS["bytecode"]
    hostile.as_directory(victim, tmp_path / "model")
    hostile.as_keras_file(victim, Path("model.keras"))
    with hostile.nothing_runs(Path(CANARY)):
        assert refused("checkout", "model", "-o", "out.keras").endswith(UNSAFE)
        assert refused("export", "model.keras", "out").endswith(UNSAFE)
        assert refused("show", "model.keras").endswith(UNSAFE)
    Path("model.json").write_text(hostile.as_json(victim))
    with hostile.nothing_runs(Path(CANARY)):
        assert refused("export", "model.json", "out", "--weights", "fresh").endswith(UNSAFE)


# --- that these are no empty threats -------------------------------------------------------------


def test_the_code_runs_for_who_trusts_it(tmp_path: Path) -> None:
    victim = layer("Lambda", function=BYTECODE)
    hostile.as_keras_file(victim, Path("model.keras"))
    kvcs.load("model.keras", safe_mode=False)
    assert Path(CANARY).read_text() == "ran"


def test_the_file_is_read_for_who_trusts_it() -> None:
    config = layer("StringLookup", vocabulary=SECRET, name="words")
    model = {
        "module": "keras", "class_name": "Sequential", "registered_name": None,
        "config": {"name": "s", "layers": [
            layer("InputLayer", batch_shape=[None, 1], dtype="string", name="i"), config]},
    }  # fmt: skip
    text = json.dumps(model)
    refusal(kvcs.model_from_json, text)
    assert "password" in kvcs.model_from_json(text, safe_mode=False).layers[0].get_vocabulary()


# --- places besides the config of a layer --------------------------------------------------------


def test_the_argument_of_a_call(tmp_path: Path) -> None:
    captured = hostile.capture(hostile.honest())
    model = captured.model.model
    entries = tuple(
        replace(entry, calls=tuple(
            Call(args=call.args, kwargs={"mask": NESTED}, outputs=call.outputs)
            for call in entry.calls)) if entry.name == "victim" else entry
        for entry in model.layers
    )  # fmt: skip
    stored = replace(captured.model, model=replace(model, layers=entries))
    hostile.write(stored, captured.contents, tmp_path / "model")
    assert refusal(kvcs.load, tmp_path / "model") == (
        f"layer 'layers/victim' cannot be called: at calls[0].kwargs.mask, {LAMBDA}. {UNSAFE}"
    )


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("loss", NESTED, f"at loss, {LAMBDA}"),
        ("loss", function("os.system"), "at loss, the function 'system' is not known here"),
        ("metrics", [[function("keras.utils.get_file")]], "at metrics[0][0], keras.utils.get"),
        ("optimizer", {**layer("load_model"), "module": "keras.models"}, "at optimizer, keras.mod"),
    ],
)
def test_what_compile_was_given(key: str, value: Any, said: str, tmp_path: Path) -> None:
    model = hostile.honest()
    model.compile("sgd", "mse")
    captured = hostile.capture(model)
    training = {**captured.model.training, key: value}  # type: ignore[dict-item]
    hostile.write(replace(captured.model, training=training), captured.contents, tmp_path / "model")
    sentence = refusal(kvcs.load, tmp_path / "model")
    assert sentence.startswith(f"the model cannot be compiled as it was: {said}")
    kvcs.load(tmp_path / "model", compile=False)


def test_a_class_as_a_value(tmp_path: Path) -> None:
    """A class is found by importing its module, and that is to run it."""
    for value in (
        ClassRef("canary_module", "Evil"),
        (ClassRef("canary_module", "Evil"),),
        {ClassRef("canary_module", "Evil")},
        {(ClassRef("canary_module", "Evil"), 1): 2},
        slice(ClassRef("canary_module", "Evil"), None),
    ):
        hostile.store(
            lambda victim, v=value: replace(victim, config={"note": v}), tmp_path / "model"
        )  # type: ignore[misc]
        assert "its class is not known here" in refusal(kvcs.load, tmp_path / "model")
    for ref in (ClassRef("keras.layers", "Lambda"), ClassRef("keras.src.saving.x_test", "Evil")):
        hostile.store(lambda victim, r=ref: replace(victim, config={"note": r}), tmp_path / "model")  # type: ignore[misc]
        refusal(kvcs.load, tmp_path / "model")


def test_a_vocabulary_that_is_a_path(tmp_path: Path) -> None:
    """Where the list of tokens should stand, there is a text, which Keras takes for a file."""
    words = keras.layers.StringLookup(name="words")
    words.adapt(np.array(["a", "b"]))
    inputs = keras.Input((1,), dtype="string")
    model = keras.Model(inputs, words(inputs))
    captured = hostile.capture(model)
    place = "layers/words/assets/vocabulary.json"
    contents = {**captured.contents, place: lambda: f'"{SECRET}"\n'.encode()}
    hostile.write(captured.model, contents, tmp_path / "model")
    with pytest.raises(RestoreError, match="expected a list of tokens, got str"):
        kvcs.load(tmp_path / "model", safe_mode=False)


@keras.saving.register_keras_serializable("safe")
class Librarian(keras.layers.Layer):
    """Keeps a file."""

    def call(self, x: Any) -> Any:
        return x

    def save_assets(self, directory: str) -> None:
        Path(directory, "book").write_text("once")

    def load_assets(self, directory: str) -> None:
        assert Path(directory, "book").read_text() == "once"


@pytest.mark.parametrize("name", ["%2E%2E", "..%2F..%2Fcanary.txt", "%2F{}", "a%5Cb", "a%00b"])
def test_an_asset_whose_name_leads_elsewhere(name: str, tmp_path: Path) -> None:
    """CVE-2026-12479: names in a model become paths, and those of assets are decoded."""
    inputs = keras.Input((1,))
    captured = hostile.capture(keras.Model(inputs, Librarian(name="keeper")(inputs)))
    away = name.format(str(tmp_path / CANARY).replace("/", "%2F"))
    model = captured.model.model
    entries = tuple(
        replace(entry, layer=replace(entry.layer, assets={away: ""}))  # type: ignore[type-var]
        if entry.name == "keeper" else entry
        for entry in model.layers
    )  # fmt: skip
    stored = replace(captured.model, model=replace(model, layers=entries))
    contents = {**captured.contents, f"layers/keeper/assets/{away}": lambda: b"ran"}
    hostile.write(stored, contents, tmp_path / "model")
    before = sorted(tmp_path.rglob("*"))
    with hostile.nothing_runs(Path(CANARY)), pytest.raises(RestoreError, match="leads elsewhere"):
        kvcs.load(tmp_path / "model")
    assert sorted(tmp_path.rglob("*")) == before


# --- what the caller trusts ----------------------------------------------------------------------


TOY = {
    "module": "canary_toys.layers",
    "class_name": "Toy",
    "config": {},
    "registered_name": "Toy",
}


@pytest.fixture
def toys() -> None:
    """A package of somebody, that registers nothing."""
    Path("canary_toys").mkdir()
    Path("canary_toys/__init__.py").write_text("")
    Path("canary_toys/layers.py").write_text(
        "import os\nimport keras\nfrom keras.layers import Lambda\n"
        "class Toy(keras.layers.Layer):\n    def call(self, x):\n        return x\n"
        "system = os.system\n"
    )


def without_weights(victim: dict[str, Any], path: Path) -> Path:
    return hostile.store(
        lambda old: replace(
            old,
            cls=ClassRef(victim["module"], victim["class_name"], victim["registered_name"]),
            config={"trainable": True, "dtype": old.config["dtype"]},
            tensors={},
        ),
        path,
    )


@pytest.mark.filterwarnings("ignore:the built model has more")  # it is described in short
@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("allow", ["canary_toys", "canary_toys.layers"])
def test_a_module_that_is_allowed(allow: str, tmp_path: Path) -> None:
    path = without_weights(TOY, tmp_path / "model")
    for name in [name for name in sys.modules if name.startswith("canary_toys")]:
        del sys.modules[name]
    assert "or allow=['canary_toys.layers']" in refusal(kvcs.load, path)
    assert "allow=" in refusal(kvcs.load, path, allow=["canary_toy"])
    assert type(kvcs.load(path, allow=[allow]).get_layer("victim")).__name__ == "Toy"
    assert run("checkout", str(path), "-o", "out.keras", "--allow", allow).code == 0
    assert run("checkout", str(path), "-o", "out.keras", "--import", "canary_toys.layers").code == 0
    text = hostile.as_json(TOY)
    assert kvcs.model_from_json(text, allow=[allow]).count_params() == 0


@pytest.mark.usefixtures("toys")
@pytest.mark.parametrize("name", ["Lambda", "system", "os", "Nothing"])
def test_what_such_a_module_merely_imports(name: str, tmp_path: Path) -> None:
    victim = {**TOY, "class_name": name, "registered_name": name}
    path = without_weights(victim, tmp_path / "model")
    with pytest.raises(RefusedError, match=rf"layers\.{name} is no class of canary_toys"):
        kvcs.load(path, allow=["canary_toys"])


def test_allowing_everything_of_keras_allows_no_code(tmp_path: Path) -> None:
    path = hostile.as_directory(MECHANISMS["bytecode"][0], tmp_path / "model")
    refusal(kvcs.load, path, allow=["keras", "keras.layers", "os"])


def test_a_given_class_that_reads_files(tmp_path: Path) -> None:
    class Words(keras.layers.StringLookup):
        pass

    victim = {**layer("Words", vocabulary=SECRET), "module": "x", "registered_name": "Words"}
    path = hostile.as_directory(victim, tmp_path / "model")
    assert "its vocabulary is the path" in refusal(kvcs.load, path, custom_objects={"Words": Words})


def test_a_given_class_whose_vocabulary_is_a_word(tmp_path: Path) -> None:
    class Speaker(keras.layers.Layer):
        def __init__(self, vocabulary: str, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.vocabulary = vocabulary

        def call(self, x: Any) -> Any:
            return x

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "vocabulary": self.vocabulary}

    inputs = keras.Input((1,))
    kvcs.save(keras.Model(inputs, Speaker("english", name="one")(inputs)), tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model", custom_objects={"Speaker": Speaker})
    assert loaded.get_layer("one").vocabulary == "english"


def test_a_function_that_is_given(tmp_path: Path) -> None:
    def twice(x: Any) -> Any:
        return x * 2

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2, activation=twice, name="d")(inputs))
    kvcs.save(model, tmp_path / "model")
    assert "pass custom_objects={'twice': twice}" in refusal(kvcs.load, tmp_path / "model")
    loaded = kvcs.load(tmp_path / "model", custom_objects={"twice": twice})
    assert loaded.get_layer("d").activation is twice


def test_keras_keeps_its_own_safe_mode() -> None:
    from keras.src.saving import serialization_lib

    before = serialization_lib.in_safe_mode()
    refusal(kvcs.model_from_json, hostile.as_json(MECHANISMS["bytecode"][0]))
    assert serialization_lib.in_safe_mode() is before
