"""Each rule: what it finds, and what it lets pass. Pure, on networks without Keras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cli import nested
from networks import Network
from test_diff_table import of_class, seven

from kvcs.comparison import diff, weightless_diff
from kvcs.errors import AbsentError
from kvcs.rules import Finding, Policy, Rule, Subject, judge, unjudged, unmatched
from kvcs.rules.values import Report
from kvcs.spec import ClassRef, StoredModel


def subject(old: Network | None, new: Network | None, **fields: Any) -> Subject:
    models = [None if one is None else one.stored() for one in (old, new)]
    found = diff(*models) if None not in models else None  # type: ignore[arg-type]
    contents = {} if new is None else new.contents()
    return Subject(
        name="models/a", old=models[0], new=models[1], diff=found, contents=contents,
        home="models/a", **fields,
    )  # fmt: skip


def found(
    old: Network | None,
    new: Network | None,
    name: str,
    layers: tuple[str, ...] = (),
    **options: Any,
) -> list[Finding]:
    policy = Policy(rules=(Rule(name=name, layers=layers, options=options),))
    return judge(policy, subject(old, new))


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.layer, finding.text) for finding in findings]


def inserted(new: Network) -> None:
    new.insert(of_class(new, "Dense")[3], "Dense")


def widened(new: Network) -> None:
    new.layers[new.outputs[0]].config["units"] = 7
    new.reshape()


def set_(new: Network) -> None:
    new.layers[of_class(new, "Dense")[1]].config["activation"] = "gelu"


def compiled(new: Network) -> None:
    new.training = {"loss": "mse"}


def nudged(new: Network) -> None:
    new.nudge([of_class(new, "Dense")[0]])


class TestSameness:
    @pytest.mark.parametrize(
        ("edit", "broken"),
        [
            (inserted, {"same-architecture"}),
            (widened, {"same-interface", "same-config", "same-weights"}),
            (set_, {"same-config"}),
            (compiled, {"same-training"}),
            (nudged, {"same-weights"}),
        ],
    )
    def test_each_is_about_one_level(
        self, edit: Callable[[Network], None], broken: set[str]
    ) -> None:
        old, new = seven(), seven()
        edit(new)
        names = ("interface", "architecture", "config", "training", "weights")
        assert {f"same-{one}" for one in names if found(old, new, f"same-{one}")} == broken

    def test_what_is_found(self) -> None:
        old, new = seven(), seven()
        set_(new)
        (one,) = found(old, new, "same-config")
        assert (one.level, one.model, one.layer, one.at) == (
            "error", "models/a", "dense_1", "activation",
        )  # fmt: skip
        assert one.text == "setting changed"
        assert one.file == "models/a/layers/dense_1/layer.json"
        assert one.change is not None
        assert one.change.id == "config dense_1 activation"

    def test_of_some_layers(self) -> None:
        old, new = seven(), seven()
        nudged(new)
        assert found(old, new, "same-weights", ("dense",))
        assert not found(old, new, "same-weights", ("dense_*",))

    def test_a_new_model_breaks_none(self) -> None:
        assert not found(None, seven(), "same-interface")


class TestWeights:
    def test_parameters(self) -> None:
        old, new = seven(), seven()
        inserted(new)
        text = "parameters 477 → 549 (+15.1%), more than +10 %"
        assert told(found(old, new, "parameters", growth=10)) == [("", text)]
        assert not found(old, new, "parameters", growth=16)
        assert told(found(None, new, "parameters", max=500)) == [
            ("", "549 parameters are more than 500")
        ]
        assert not found(None, new, "parameters", growth=10, max=549)

    def test_size(self) -> None:
        new = seven()
        first = found(None, new, "size", tensor=300)[0]
        assert (first.layer, first.at, first.text) == (
            "dense", "kernel", "384 bytes are more than 300",
        )  # fmt: skip
        assert told(found(None, new, "size", model=10))[0][1].endswith(" are more than 10")
        assert not found(None, new, "size", tensor=384, model=10_000)

    def test_kept(self) -> None:
        old, new = seven(), seven()
        nudged(new)
        text = "12 of 14 old tensors kept, fewer than 90 %"
        assert told(found(old, new, "kept-weights", min=90)) == [("", text)]
        assert not found(old, new, "kept-weights", min=85)

    def test_frozen(self) -> None:
        old = seven()
        for number in of_class(old, "Dense")[:3]:
            old.layers[number].trainable = False
        new = old.copy()
        set_(new)
        globs = ("dense", "dense_[12]")
        assert not found(old, new, "frozen-layers", globs)
        new.layers[of_class(new, "Dense")[2]].trainable = True
        nudged(new)
        assert told(found(old, new, "frozen-layers", globs)) == [
            ("dense_2", "layer is trainable"),
            ("dense", "weights of a frozen layer changed"),
        ]

    def test_a_frozen_layer_that_moved_or_went(self) -> None:
        old = seven()
        for layer in old.layers.values():
            layer.trainable = False
        new = old.copy()
        dense = of_class(new, "Dense")
        new.delete(dense[1])
        new.insert(dense[0], "LeakyReLU")
        assert told(found(old, new, "frozen-layers", ("dense_1",))) == [
            ("dense_1", "frozen layer is no more")
        ]
        assert not found(old, new, "frozen-layers", ("dense_4",))  # which is dense_3 now

    def test_averages_of_a_frozen_layer(self) -> None:
        old = Network()
        old.chain("InputLayer", "BatchNormalization", "Dense")
        old.layers[2].trainable = False
        new = old.copy()
        new.layers[2].weights["moving_mean"] = np.ones(8, "float32")
        assert told(found(old, new, "frozen-layers", ("batch*",))) == [
            ("batch_normalization", "averages of a frozen layer changed")
        ]

    def test_frozen_as_a_whole(self) -> None:
        old = seven()
        stored = old.stored()
        model = replace(stored.model, config={"trainable": False})
        one = replace(subject(old, old), new=replace(stored, model=model))
        rules = Policy(rules=(Rule(name="frozen-layers", layers=("*",)),))
        assert judge(rules, one) == []

    def test_finite(self) -> None:
        old, new = seven(), seven()
        kernel = new.layers[of_class(new, "Dense")[1]].weights["kernel"]
        kernel[0, :3] = np.nan
        kernel[1, 0] = -np.inf
        (one,) = found(old, new, "finite-weights")
        assert (one.layer, one.at, one.text) == (
            "dense_1", "kernel", "holds 3 NaN and 1 infinite values",
        )  # fmt: skip
        assert not found(new, new, "finite-weights")

    def test_only_what_changed_is_read(self) -> None:
        old, new = seven(), seven()
        nudged(new)
        read = []

        def reading(path: str) -> Any:
            return lambda: read.append(path) or new.contents()[path]()

        watched = {path: reading(path) for path in new.contents()}
        one = replace(subject(old, new), contents=watched)
        assert judge(Policy(rules=(Rule(name="finite-weights"),)), one) == []
        assert sorted(read) == ["layers/dense/bias.npy", "layers/dense/kernel.npy"]

    @pytest.mark.parametrize(
        ("level", "counts_as"), [("error", "error"), ("warning", "warning"), ("note", "warning")]
    )
    def test_what_cannot_be_read_is_not_clear(self, level: Any, counts_as: str) -> None:
        def absent() -> Any:
            raise AbsentError("it is not here")

        old, new = seven(), seven()
        nudged(new)
        one = replace(subject(old, new), contents=dict.fromkeys(new.contents(), absent))
        findings = judge(Policy(rules=(Rule(name="finite-weights", level=level),)), one)
        assert [(f.rule, f.level, f.detail) for f in findings] == [
            ("incomplete", counts_as, "it is not here")
        ] * 2


class TestLoading:
    def model(self, cls: str) -> StoredModel:
        network = Network()
        network.chain("InputLayer", "Dense", "Activation")
        network.layers[3].cls = cls
        found = network.stored()
        own = ClassRef("keras.src.models.functional", "Functional")
        return replace(found, model=replace(found.model, cls=own))

    def judged(self, cls: str, **options: Any) -> list[Finding]:
        one = Subject(name="a", new=self.model(cls), home="a")
        return judge(Policy(rules=(Rule(name="safe-loading", options=options),)), one)

    def test_what_is_known_is_safe(self) -> None:
        assert self.judged("Activation") == []

    @pytest.mark.parametrize("cls", ["Lambda", "TFSMLayer"])
    def test_what_runs_code_is_not(self, cls: str) -> None:
        (one,) = self.judged(cls, allow=("keras_hub",))
        assert one.text == "the model names what is not known to be safe"
        assert cls.lower() in one.detail.lower()

    def test_a_module_that_is_allowed(self) -> None:
        assert self.judged("Unknown")
        assert not self.judged("Unknown", allow=("keras.layers",))


class TestApplying:
    def test_only_to_its_models(self) -> None:
        policy = Policy(rules=(Rule(name="kept-models", models=("models/prod/*",)),))
        assert not judge(policy, Subject(name="models/a", old=seven().stored()))
        one = Subject(name="models/prod/x/y", old=seven().stored())
        assert [finding.text for finding in judge(policy, one)] == ["model removed"]

    def test_a_model_that_is_removed_takes_its_rules_along(self) -> None:
        policy = Policy(rules=(Rule(name="same-interface", models=("models/*",)),))
        (one,) = judge(policy, Subject(name="models/a", old=seven().stored()))
        assert (one.rule, one.level) == ("removed-model", "warning")
        assert not judge(policy, Subject(name="other", old=seven().stored()))

    def test_without_weights_nothing_about_them_is_known(self) -> None:
        old, new = seven().stored(), seven().stored()
        one = Subject(
            name="a", old=old, new=new, diff=weightless_diff(old, new, (True, False)),
            has_weights=False,
        )  # fmt: skip
        policy = Policy(rules=(Rule(name="finite-weights"), Rule(name="same-interface")))
        assert [(f.rule, f.level) for f in judge(policy, one)] == [("incomplete", "error")]

    def test_what_could_not_be_compared_is_as_bad_as_its_worst_rule(self) -> None:
        assert unjudged(Policy(), "a", "x").level == "warning"
        rules = (Rule(name="size", level="note"), Rule(name="kept-models", models=("b",)))
        assert unjudged(Policy(rules=rules), "a", "x").level == "warning"
        assert unjudged(Policy(rules=rules), "b", "x").level == "error"

    def test_a_pattern_that_matches_nothing(self) -> None:
        rules = (
            Rule(name="frozen-layers", layers=("dense", "encodr/*")),
            Rule(name="frozen-layers", layers=("x",), models=("b",)),
        )
        same = diff(seven().stored(), seven().stored())
        (one,) = unmatched(Policy(rules=rules), {"a": same})
        assert (one.level, one.detail) == ("warning", "encodr/*")
        assert unmatched(Policy(rules=rules), {"a": same, "b": None}) == []
        assert unmatched(Policy(rules=rules), {}) == []

    def test_layers_inside_of_models(self) -> None:
        one = Subject(name="a", new=nested(), home=".")
        policy = Policy(rules=(Rule(name="frozen-layers", layers=("encoder/*",)),))
        assert [(f.layer, f.file) for f in judge(policy, one)] == [
            ("encoder/dense", "layers/encoder/layers/dense/layer.json"),
            ("encoder/norm", "layers/encoder/layers/norm/layer.json"),
        ]


def test_the_status() -> None:
    def status(*levels: Any) -> str:
        findings = tuple(Finding(rule="x", level=level, model="", text="") for level in levels)
        return Report(findings=findings, models=0, changed=(), policy=Policy()).status

    assert status() == status("note") == "clear"
    assert status("note", "warning") == "review"
    assert status("warning", "error") == "blocked"
