"""Commands that need a live model: `kvcs export`, `kvcs checkout`, `kvcs.save`, `kvcs.commit`.

The models come from `zoo.py`, which every test finds in the directory it runs in, as the module of
a user would be. What survives a save is in `test_round_trip.py`; here is how a command is used, and
what it says to bad input.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from cli import Done, contents, process, refused, store, without
from cli import kvcs as run
from gitrepo import commit_all, git, hook, state
from live import assert_same

import kvcs
from kvcs.commands.export import import_modules
from kvcs.errors import DamageError, OperandError, RepositoryError, SaveError

ZOO = '''
import keras
import numpy as np
from keras import layers


def small(units=3):
    """A model that is the same every time: its names are given, and so is its seed."""
    inputs = keras.Input((4,), name="inputs")
    random = keras.initializers.RandomNormal(seed=1)
    outputs = layers.Dense(units, kernel_initializer=random, name="outputs")(inputs)
    return keras.Model(inputs, outputs, name="small")


def trained():
    model = small()
    model.compile("adam", "mean_squared_error")
    model.fit(np.ones((2, 4)), np.ones((2, 3)), verbose=0)
    return model


class Builder:
    @staticmethod
    def build():
        return small(2)


built = small()
number = 7


def unbuilt():
    return keras.Sequential([layers.Dense(3)], name="lazy")


def with_a_lambda():
    return keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x + 1, name="plus")])


class Opaque(layers.Layer):
    def __init__(self, thing, **options):
        super().__init__(**options)
        self.thing = thing

    def call(self, inputs):
        return inputs


def unserialisable():
    return keras.Sequential([keras.Input((4,)), Opaque(object(), name="opaque")])


def broken():
    raise ValueError("my own mistake")


def needs(units):
    return small(units)


def forgetful():
    small()
'''

# A module that registers its class when it is imported, as `--import` wants it.
TOYS = """
import keras


@keras.saving.register_keras_serializable("toys")
class Toy(keras.layers.Layer):
    def __init__(self, thing=None, **options):
        super().__init__(**options)
        self.thing = thing

    def get_config(self):
        return {**super().get_config(), "thing": self.thing}

    def call(self, inputs):
        return 2 * inputs


def toy(thing=None):
    return keras.Sequential([keras.Input((4,), name="inputs"), Toy(thing, name="toy")], name="box")


def odd():
    return toy({1, 2})
"""


@pytest.fixture(autouse=True)
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory the tests run in; modules imported from it are forgotten afterwards."""
    workshop = tmp_path / "workshop"
    workshop.mkdir()
    (workshop / "zoo.py").write_text(ZOO)
    (workshop / "toys.py").write_text(TOYS)
    monkeypatch.chdir(workshop)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield workshop
    sys.modules.pop("zoo", None)
    forget_toys()


@pytest.fixture
def repository(workshop: Path) -> Path:
    git(workshop, "init", "--quiet")
    commit_all(workshop, "Two modules")
    return workshop


def forget_toys() -> None:
    """Be a process in which nobody imported `toys.py`, nor could without saying where it is."""
    sys.modules.pop("toys", None)
    sys.path[:] = [place for place in sys.path if place != str(Path.cwd())]
    keras.saving.get_custom_objects().clear()


def from_zoo(name: str) -> Any:
    import_modules(["zoo"])
    return getattr(sys.modules["zoo"], name)()


def from_toys(name: str) -> Any:
    import_modules(["toys"])
    return getattr(sys.modules["toys"], name)()


class TestExport:
    def test_what_a_function_returns(self) -> None:
        done = run("export", "zoo:small", "model")
        assert done == Done(0, "model: 5 files written, 0 unchanged, 0 removed\n", "")
        assert_same(kvcs.load("model"), sys.modules["zoo"].small())

    @pytest.mark.parametrize(
        ("source", "units"), [("zoo:built", 3), ("zoo:Builder.build", 2), ("package.zoo:small", 3)]
    )
    def test_other_sources_in_a_module(self, source: str, units: int) -> None:
        Path("package").mkdir()
        Path("package/zoo.py").write_text(ZOO)
        assert run("export", source, "model").code == 0
        assert kvcs.load("model").output_shape == (None, units)

    @pytest.mark.parametrize("name", ["model.keras", "model.h5"])
    def test_a_saved_file(self, name: str) -> None:
        model = from_zoo("small")
        model.save(name)
        assert run("export", name, "model").out == (
            "model: 5 files written, 0 unchanged, 0 removed\n"
        )
        assert_same(kvcs.load("model"), model)

    def test_a_legacy_file_with_short_names_of_losses(self) -> None:
        model = from_zoo("small")
        model.compile("adam", "mse", metrics=["mae"])
        model.save("model.h5")
        assert run("export", "model.h5", "model").code == 0
        assert kvcs.load("model").loss is keras.losses.mean_squared_error

    def test_a_saved_file_wins_over_a_module(self) -> None:
        from_zoo("small").save("model.keras")
        Path("model.keras").rename("zoo:small.keras")
        done = run("export", "zoo:small.keras", "model")
        assert done.code == 0

    def test_again_touches_nothing(self) -> None:
        run("export", "zoo:small", "model")
        before = {path: path.stat() for path in Path("model").rglob("*")}
        done = run("export", "zoo:small", "model")
        assert done.out == "model: 0 files written, 5 unchanged, 0 removed\n"
        assert {path: path.stat() for path in Path("model").rglob("*")} == before

    def test_another_model_takes_its_place(self) -> None:
        run("export", "zoo:trained", "model")
        done = run("export", "zoo:small", "model")
        assert done.out == "model: 4 files written, 1 unchanged, 8 removed\n"
        assert kvcs.verify("model")

    def test_json(self) -> None:
        run("export", "zoo:trained", "model")
        done = run("export", "zoo:trained", "model", "--no-optimizer", "--json")
        assert (done.code, done.err) == (0, "")
        found = json.loads(done.out)
        assert found.keys() == {"kept", "removed", "written"}
        assert "model.json" in found["written"]
        assert "layers/inputs/layer.json" in found["kept"]
        assert "optimizer/index.json" in found["removed"]

    def test_the_optimizer_unless_it_is_left_out(self) -> None:
        run("export", "zoo:trained", "model")
        run("export", "zoo:trained", "bare", "--no-optimizer")
        assert Path("model/optimizer/index.json").exists()
        assert not Path("bare/optimizer").exists()
        assert kvcs.load("bare").compiled

    def test_with_a_custom_class(self) -> None:
        from_toys("toy").save("toy.keras")
        forget_toys()
        sentence = refused("export", "toy.keras", "model")
        assert "toy.keras" in sentence
        assert "'Toy'" in sentence
        done = run("export", "toy.keras", "model", "--import", "toys")
        assert done == Done(0, "model: 3 files written, 0 unchanged, 0 removed\n", "")

    def test_what_can_run_code_only_if_asked(self) -> None:
        from_zoo("with_a_lambda").save("lambda.keras")
        sentence = refused("export", "lambda.keras", "model")
        assert sentence.startswith("lambda.keras: layer 'plus' (Lambda) cannot be built: ")
        assert sentence.endswith("(--unsafe on the command line)")
        assert run("export", "lambda.keras", "model", "--unsafe").code == 0

    def test_digests_of_a_file_are_those_of_its_directory(self) -> None:
        """Only what a `.keras` file does not hold, the state, may differ."""
        from_zoo("trained").save("model.keras")
        assert run("export", "model.keras", "model").code == 0
        assert run("digest", "model.keras") == run("digest", "model")
        shown = run("show", "model.keras")
        assert shown.out == run("show", "model").out.replace("model:", "model.keras:", 1)


class TestBadSource:
    """Nothing is written, and one line says why; `refused` looks at that each time."""

    @pytest.mark.parametrize("source", ["nowhere.keras", "zoo", "zoo:", ":small", "zoo:1", "a:b:c"])
    def test_no_such_file(self, source: str) -> None:
        assert refused("export", source, "model") == (
            f"{source}: no such file. A source is a .keras, .h5 or "
            ".json file, or package.module:factory for a function that returns a model"
        )

    def test_an_empty_text(self) -> None:
        assert refused("export", "", "model").startswith("'': no such file.")

    @pytest.mark.parametrize("source", ["zoo.py", "directory", "directory.keras"])
    def test_what_keras_did_not_save(self, source: str) -> None:
        Path("directory").mkdir()
        Path("directory.keras").mkdir()
        assert refused("export", source, "model") == (
            f"{source} is not a source: expected a .keras, .h5 or .json file, or "
            "package.module:factory"
        )

    @pytest.mark.parametrize("name", ["text.keras", "text.h5", "empty.keras", "empty.h5"])
    def test_no_file_of_keras(self, name: str) -> None:
        Path(name).write_text("Two lines\nof text\n" if name.startswith("text") else "")
        assert refused("export", name, "model") == (
            f"{name} is no file that Keras wrote, or it is damaged"
        )

    def test_a_file_that_was_cut_off(self) -> None:
        from_zoo("small").save("model.keras")
        content = Path("model.keras").read_bytes()
        Path("model.keras").write_bytes(content[: len(content) // 2])
        assert refused("export", "model.keras", "out") == (
            "model.keras is no file that Keras wrote, or it is damaged"
        )

    def test_an_archive_of_something_else(self) -> None:
        with zipfile.ZipFile("model.keras", "w") as archive:
            archive.writestr("config.json", "[]")
            archive.writestr("metadata.json", "{}")
        sentence = refused("export", "model.keras", "out")
        assert sentence == "config.json in model.keras is no JSON object"

    def test_no_such_module(self) -> None:
        assert refused("export", "nowhere:small", "model") == (
            "cannot import nowhere: there is no module nowhere, "
            "neither here nor among the installed ones"
        )

    def test_a_module_that_needs_another(self) -> None:
        Path("needy.py").write_text("import nowhere\n")
        assert refused("export", "needy:small", "model") == (
            "cannot import needy: there is no module nowhere, "
            "neither here nor among the installed ones"
        )

    @pytest.mark.parametrize("attribute", ["large", "small.large", "Builder.demolish"])
    def test_no_such_attribute(self, attribute: str) -> None:
        assert refused("export", f"zoo:{attribute}", "model") == (
            f"module zoo has no {attribute}: name a function that returns a model"
        )

    @pytest.mark.parametrize(("name", "kind"), [("number", "int"), ("forgetful", "NoneType")])
    def test_what_is_no_model(self, name: str, kind: str) -> None:
        assert refused("export", f"zoo:{name}", "model") == (
            f"zoo:{name} yields {kind}, not a keras.Model: name a function that returns a model"
        )

    def test_a_function_with_arguments(self) -> None:
        assert refused("export", "zoo:needs", "model") == (
            "zoo:needs cannot be called without arguments (missing a required argument: 'units'): "
            "name a function that needs none"
        )

    def test_a_function_that_fails(self) -> None:
        """It is the user's own, and so is the traceback that leads to its mistake."""
        done = run("export", "zoo:broken", "model")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("Traceback (most recent call last):\n")
        assert 'zoo.py", line ' in done.err
        assert done.err.endswith("\nValueError: my own mistake\n")

    def test_a_model_that_was_never_built(self) -> None:
        assert refused("export", "zoo:unbuilt", "model") == (
            "model 'lazy' was never built, so it has no weights yet: call it on data, "
            "or call model.build(input_shape), and save again"
        )

    def test_a_layer_that_keras_cannot_serialise(self) -> None:
        sentence = refused("export", "zoo:unserialisable", "model")
        assert sentence.startswith("layer 'opaque' (Opaque) cannot be saved: ")
        assert "get_config()" in sentence

    @pytest.mark.parametrize("name", ["", ".zoo", "no module", "../zoo", "zoo;"])
    def test_what_cannot_be_a_module(self, name: str) -> None:
        assert refused("export", "zoo:small", "model", "--import", name) == (
            f"{name!r} cannot be the name of a module"
        )


class TestBadTarget:
    def test_a_directory_with_something_else(self) -> None:
        Path("model").mkdir()
        Path("model/thesis.tex").touch()
        assert refused("export", "zoo:small", "model") == (
            "model is not empty and has no model.json, so it is no stored model; "
            "choose another directory"
        )

    def test_a_model_with_something_else_in_it(self) -> None:
        run("export", "zoo:small", "model")
        Path("model/thesis.tex").touch()
        assert refused("export", "zoo:trained", "model") == (
            "model/thesis.tex is no part of a stored model, and would be deleted; "
            "move it away, or choose another directory"
        )

    def test_a_file(self) -> None:
        assert refused("export", "zoo:small", "zoo.py") == (
            "zoo.py is not a directory; remove it, or choose another place"
        )

    def test_below_a_file(self) -> None:
        assert refused("export", "zoo:small", "zoo.py/model").startswith("could not write ")

    def test_a_name_no_file_system_takes(self) -> None:
        assert "File name too long" in refused("export", "zoo:small", "long" * 100)

    def test_where_nothing_may_be_written(self) -> None:
        Path("closed").mkdir(mode=0o500)
        if os.access("closed", os.W_OK):
            pytest.skip("nothing is closed to this user")
        assert "Permission denied" in refused("export", "zoo:small", "closed/model")


class TestCheckout:
    def test_a_file_that_keras_reads(self) -> None:
        model = from_zoo("trained")
        kvcs.save(model, "model")
        assert run("checkout", "model", "-o", "model.keras") == Done(0, "wrote model.keras\n", "")
        assert_same(keras.models.load_model("model.keras"), model)

    def test_of_a_revision_that_is_gone_from_the_working_tree(self, repository: Path) -> None:
        first = from_zoo("small")
        kvcs.commit(first, "model", "First")
        git(repository, "rm", "-r", "--quiet", "model")
        git(repository, "commit", "--quiet", "--message", "Remove")
        before = state(repository)
        assert run("checkout", "HEAD~1:model", "-o", "../first.keras").code == 0
        assert state(repository) == before
        assert_same(keras.models.load_model("../first.keras"), first)

    def test_replaces_a_file_and_leaves_nothing_else(self) -> None:
        kvcs.save(from_zoo("small"), "model")
        Path("model.keras").write_text("before")
        before = contents(Path())
        assert run("checkout", "model", "-o", "model.keras").code == 0
        after = contents(Path())
        assert {path for path in after if after[path] != before.get(path)} == {"./model.keras"}
        assert after.keys() == before.keys()

    def test_with_a_custom_class(self) -> None:
        kvcs.save(from_toys("toy"), "model")
        forget_toys()
        sentence = refused("checkout", "model", "-o", "toy.keras")
        assert sentence.startswith(
            "layer 'layers/toy' (Toy) cannot be built: its class is not known"
        )
        assert "custom_objects={'Toy': Toy}" in sentence
        assert sentence.endswith("(--import MODULE on the command line)")
        assert run("checkout", "model", "-o", "toy.keras", "--import", "toys").code == 0

    def test_what_can_run_code_only_if_asked(self) -> None:
        kvcs.save(from_zoo("with_a_lambda"), "model")
        sentence = refused("checkout", "model", "-o", "lambda.keras")
        assert sentence.startswith("layer 'layers/plus' (Lambda) cannot be built: ")
        assert sentence.endswith("(--unsafe on the command line)")
        assert run("checkout", "model", "-o", "lambda.keras", "--unsafe").code == 0

    def test_what_the_format_of_keras_cannot_hold(self) -> None:
        """A set is no trouble for kvcs."""
        kvcs.save(from_toys("odd"), "model")
        assert refused("checkout", "model", "-o", "odd.keras").startswith(
            "Keras cannot write the model as odd.keras: "
        )

    @pytest.mark.parametrize(
        ("output", "sentence"),
        [
            ("model.h5", "model.h5: Keras wants a file name that ends in .keras"),
            ("", ".: Keras wants a file name that ends in .keras"),
            ("directory.keras", "directory.keras is a directory: name a file"),
            (
                "nowhere/model.keras",
                "could not write nowhere/model.keras: there is no directory nowhere; make it first",
            ),
            (
                "zoo.py/model.keras",
                "could not write zoo.py/model.keras: there is no directory zoo.py; make it first",
            ),
        ],
    )
    def test_a_bad_output(self, output: str, sentence: str) -> None:
        Path("directory.keras").mkdir()
        store(Path("model"))
        assert refused("checkout", "model", "-o", output) == sentence

    def test_an_output_no_file_system_takes(self) -> None:
        kvcs.save(from_zoo("small"), "model")
        sentence = refused("checkout", "model", "-o", "long" * 100 + ".keras")
        assert sentence.endswith("File name too long")

    @pytest.mark.parametrize(
        ("model", "sentence"),
        [
            ("nowhere", "nowhere: no such directory. "),
            ("HEAD:model", "There is no git repository in "),
            ("zoo.py", "zoo.py is a file, and no model that kvcs reads: "),
            ("", "expected a path or REV:DIR, got ''"),
        ],
    )
    def test_no_model(self, model: str, sentence: str) -> None:
        assert refused("checkout", model, "-o", "model.keras").startswith(sentence)

    def test_a_damaged_model_leaves_the_file_as_it_was(self) -> None:
        kvcs.save(from_zoo("small"), "model")
        Path("model/layers/outputs/kernel.npy").write_bytes(b"")
        Path("model.keras").write_text("before")
        assert refused("checkout", "model", "-o", "model.keras").startswith(
            "model is damaged: layers/outputs/kernel.npy (layer layers/outputs): truncated"
        )


class TestCommitOfALiveModel:
    def test_saves_and_commits(self, repository: Path) -> None:
        model = from_zoo("small")
        commit = kvcs.commit(model, "models/small", "First", metrics={"accuracy": 0.5, "loss": 2})
        assert commit == git(repository, "rev-parse", "HEAD")
        assert git(repository, "log", "-1", "--format=%B") == (
            "First\n\nKvcs-Metric: accuracy=0.5\nKvcs-Metric: loss=2.0\n"
        )
        assert git(repository, "status", "--short") == ""
        assert_same(kvcs.load("HEAD:models/small"), model)

    def test_of_the_same_model_is_none(self, repository: Path) -> None:
        model = from_zoo("small")
        kvcs.commit(model, "model", "First")
        before = state(repository)
        assert kvcs.commit(model, "model", "Again") is None
        assert state(repository) == before

    def test_tells_hooks_what_it_has_read(self, repository: Path) -> None:
        hook(repository, "pre-commit", f'cp "$KVCS_READ_BEFORE" "{repository}/.git/told"')
        model = keras.Sequential([keras.Input((500,)), keras.layers.Dense(500, use_bias=False)])
        kvcs.commit(model, "model", "First")
        kernel = git(repository, "rev-parse", "HEAD:model/layers/dense/kernel.npy")
        assert (repository / ".git/told").read_text().startswith(f"{kernel} ")

    def test_in_a_repository_that_is_not_here(
        self, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = from_zoo("small")
        monkeypatch.chdir(tmp_path)
        assert kvcs.commit(model, repository / "a/b/model", "First")
        assert git(repository, "ls-files", "--", "a").startswith("a/b/model/layers/inputs/")

    def test_takes_numbers_of_numpy(self, repository: Path) -> None:
        metrics = {"loss": np.float32(0.5), "epochs": np.int64(3)}
        assert kvcs.commit(from_zoo("small"), "model", "First", metrics=metrics)
        assert git(repository, "log", "-1", "--format=%(trailers)") == (
            "Kvcs-Metric: epochs=3.0\nKvcs-Metric: loss=0.5\n"
        )

    def test_leaves_the_optimizer_out(self, repository: Path) -> None:
        kvcs.commit(from_zoo("trained"), "model", "First", optimizer=False)
        assert not Path("model/optimizer").exists()

    def test_outside_of_a_repository_saves_nothing(self, workshop: Path) -> None:
        model = from_zoo("small")
        with pytest.raises(RepositoryError, match=r"^There is no git repository in "):
            kvcs.commit(model, "models/small", "First")
        assert not Path("models").exists()

    def test_with_a_number_that_is_none_saves_nothing(self, repository: Path) -> None:
        model = from_zoo("small")
        with pytest.raises(OperandError, match=r"^metric loss is nan: give a finite number"):
            kvcs.commit(model, "model", "First", metrics={"loss": float("nan")})
        assert not Path("model").exists()

    def test_that_git_refuses_has_saved(self, repository: Path) -> None:
        with pytest.raises(RepositoryError, match=r"^The commit message is empty"):
            kvcs.commit(from_zoo("small"), "model", "")
        assert kvcs.verify("model")


class TestSave:
    def test_a_model_that_was_never_built(self, workshop: Path) -> None:
        with pytest.raises(SaveError, match=r"^model 'lazy' was never built"):
            kvcs.save(from_zoo("unbuilt"), "models/lazy")
        assert not Path("models").exists()

    @pytest.mark.parametrize("thing", [None, 7, "model", keras.Sequential])
    def test_what_is_no_model(self, thing: Any) -> None:
        with pytest.raises(SaveError, match=r"^expected a keras\.Model, got "):
            kvcs.save(thing, "model")

    def test_a_layer_that_keras_cannot_serialise_keeps_the_old_model(self) -> None:
        kvcs.save(from_zoo("small"), "model")
        before = contents(Path())
        with pytest.raises(SaveError, match=r"^layer 'opaque' \(Opaque\) cannot be saved: "):
            kvcs.save(from_zoo("unserialisable"), "model")
        assert contents(Path()) == before


class TestLiveOperand:
    def test_one_digest_wherever_the_model_is(self, repository: Path) -> None:
        model = from_zoo("trained")
        kvcs.save(model, "model")
        git(repository, "add", "model")
        indexed = kvcs.digest(":model")
        commit_all(repository)
        places = (model, "model", Path("model"), "HEAD:model")
        assert {kvcs.digest(place) for place in places} == {indexed}
        for part in ("architecture", "weights", "state"):
            assert len({kvcs.digest(place, part) for place in places}) == 1

    def test_loads_as_itself(self) -> None:
        model = from_zoo("small")
        assert kvcs.load(model) is model

    def test_has_no_checksums(self) -> None:
        with pytest.raises(OperandError, match=r"^a live model is stored nowhere yet: save it, "):
            kvcs.verify(from_zoo("small"))

    def test_a_damaged_model_does_not_load(self) -> None:
        kvcs.save(from_zoo("small"), "model")
        Path("model/layers/outputs/bias.npy").unlink()
        with pytest.raises(DamageError, match=r"layers/outputs/bias\.npy .*missing"):
            kvcs.load("model")


class TestInAProcessOfItsOwn:
    QUIET = ("TF_CPP_MIN_LOG_LEVEL", "TF_ENABLE_ONEDNN_OPTS", "CUDA_VISIBLE_DEVICES")
    # As the `kvcs` program is started: the current directory is not where Python looks first.
    PROGRAM = (sys.executable, "-I", "-c", "from kvcs.cli import run; run()")

    def test_checkout_is_quiet_and_runs_no_code_from_where_it_is(self) -> None:
        """Restoring a model is safe in a repository that somebody else wrote."""
        kvcs.save(from_zoo("small"), "model")
        for name in ("keras", "numpy", "random", "tensorflow", "zoo"):
            Path(f"{name}.py").write_text("raise SystemExit('ran code of the repository')\n")
        done = process(
            *("checkout", "model", "-o", "model.keras"),
            command=self.PROGRAM,
            env=without(*self.QUIET),
        )
        assert done == Done(0, "wrote model.keras\n", "")

    def test_export_of_a_function_is_quiet(self) -> None:
        """Though it is the user's module that imports Keras, and not kvcs."""
        done = process("export", "zoo:small", "model", env=without(*self.QUIET))
        assert done == Done(0, "model: 5 files written, 0 unchanged, 0 removed\n", "")

    def test_show_of_a_keras_file_is_quiet(self) -> None:
        from_zoo("small").save("model.keras")
        done = process("show", "model.keras", env=without(*self.QUIET))
        assert (done.code, done.err) == (0, "")
        assert done.lines[0].startswith("model.keras: Functional (graph), Keras ")

    def test_without_keras_it_says_what_to_install(self) -> None:
        store(Path("model"))
        inputs = keras.Input((2,))
        keras.Model(inputs, keras.layers.Lambda(lambda x: x)(inputs)).save("model.keras")
        script = "import sys; sys.modules['keras'] = None\nfrom kvcs.cli import run\nrun()"
        for arguments in (["export", "model.keras", "out"], ["digest", "model.keras"]):
            done = process(*arguments, command=(sys.executable, "-c", script))
            assert done == Done(
                2,
                "",
                "kvcs: model.keras needs Keras, which is not installed: Lambda is a class or "
                "function of which only Keras knows more. Install it with a backend: "
                "pip install 'kvcs[tensorflow]' (or [jax], [torch])\n",
            )
        done = process(
            "checkout", "model", "-o", "out.keras", command=(sys.executable, "-c", script)
        )
        assert done == Done(
            2,
            "",
            "kvcs: model needs Keras, which is not installed: the class keras.Functional is not "
            "known here. Install it with a backend: pip install 'kvcs[tensorflow]' (or [jax], "
            "[torch])\n",
        )
