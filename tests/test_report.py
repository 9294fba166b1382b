"""The pages: what they say without a script, what the script is given, and what they forbid."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
from networks import Network
from reports import compared, data, deep, edited, outcome, parsed, said, structure
from test_diff_hostile import FORGED
from test_diff_markdown import HOSTILE
from test_diff_markdown import edited as edited_with

from kvcs.commands.diff import Comparison
from kvcs.commands.diff_all import Outcome
from kvcs.commands.show import summary
from kvcs.commands.versions import Versions
from kvcs.render.html import assets, compared_fragment, compared_page, model_page, page

ALLOWED = {  # what may stand in a page; neither a style, nor a handler, nor a place elsewhere
    "aria-label", "charset", "class", "colspan", "content", "d", "data-layer", "hidden", "href",
    "http-equiv", "id", "lang", "name", "open", "preserveaspectratio", "role", "scope", "title",
    "type", "viewbox",
}  # fmt: skip


@cache
def small_page() -> str:
    return compared_page(compared(*edited()))


def sha256(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class TestPolicy:
    def test_the_hashes_are_those_of_the_one_script_and_the_one_style(self) -> None:
        found = parsed(small_page())
        (policy,) = found.all("meta", **{"http-equiv": "Content-Security-Policy"})
        (style,) = found.all("style")
        (script,) = [each for each in found.all("script") if not each.attributes]
        assert policy.attributes["content"].split("; ") == [
            "default-src 'none'",
            f"style-src {sha256(style.text)}",
            f"script-src {sha256(script.text)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]

    def test_it_comes_before_what_it_is_about(self) -> None:
        tags = [each.tag for each in parsed(small_page()).elements]
        assert tags[:4] == ["html", "head", "meta", "meta"]

    def test_nothing_in_a_page_asks_for_anything(self) -> None:
        for element in parsed(small_page()).elements:
            assert element.attributes.keys() <= ALLOWED
            assert element.attributes.get("href", "#").startswith("#")
        assert "url(" not in assets.stylesheet(assets.STYLES)
        assert "@import" not in assets.stylesheet(assets.STYLES)
        assert "sourceMappingURL" not in assets.script()

    def test_the_script_makes_no_markup_of_text(self) -> None:
        own = [
            files("kvcs.render.html").joinpath("script", f"{name}.js").read_text()
            for name in assets.SCRIPTS
        ]
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("):
            assert not any(forbidden in text for text in own)
        assert "</script" not in assets.script().lower()

    def test_every_file_of_script_and_style_is_used(self) -> None:
        place = files("kvcs.render.html")
        assert {f"{name}.js" for name in assets.SCRIPTS} == {
            each.name for each in place.joinpath("script").iterdir()
        }

    def test_the_library_has_the_recorded_bytes_and_its_licence(self) -> None:
        vendor = files("kvcs.render.html").joinpath("vendor")
        library = vendor.joinpath(assets.LIBRARY).read_bytes()
        assert hashlib.sha256(library).hexdigest() == assets.LIBRARY_SHA256
        assert "Permission is hereby granted" in vendor.joinpath("LICENSE").read_text()
        assert "Permission is hereby granted" in assets.script()


class TestWithoutAScript:
    def test_the_verdict_comes_first_then_the_overview(self) -> None:
        text = said(small_page())
        verdict = text.index("ARCHITECTURE: 1 layer inserted, 1 layer removed; 22 of 26 old")
        assert verdict < text.index("layers 18 18 =") < text.index("old weights kept 26 22 of 26")

    def test_the_interface_is_an_alarm(self) -> None:
        old, new = edited()
        head = max(old.layers)
        new.layers[head].config["units"] = 5
        new.reshape()
        alarms = [each.text for each in parsed(compared_page(compared(old, new))).all("p")
                  if each.attributes.get("class") == "alarm"]  # fmt: skip
        assert alarms == ["output 0: (None, 3) float32 → (None, 5) float32"]

    def test_each_layer_has_a_row(self) -> None:
        rows = [each for each in parsed(small_page()).all("tr") if "data-layer" in each.attributes]
        assert len(rows) == 19
        shown = {row.attributes["class"]: row.text for row in rows}
        assert shown.keys() == {"same", "changed", "added", "removed", "weights"}
        assert "Dense 8 relu → Dense 8 gelu" in shown["changed"]
        assert "setting, weights: activation: relu → gelu; bias ±" in shown["changed"]
        assert shown["added"].startswith("+extraDense 8 relu(None, 8)72added")

    def test_weights_come_with_histograms(self) -> None:
        pictures = parsed(small_page()).all("svg")
        assert len(pictures) == 4
        paths = [each.attributes["d"] for each in parsed(small_page()).all("path")]
        assert all(re.fullmatch(r"M0 24(V\d+H\d+)+V24Z", path) for path in paths)

    def test_without_numbers_there_are_none(self) -> None:
        old, _ = edited()
        new = old.copy()
        new.training = None
        text = compared_page(compared(old, new))
        assert not parsed(text).all("svg")
        assert "Weights that changed" not in said(text)

    def test_training_before_and_after(self) -> None:
        assert "optimizer.learning_rate 0.001 0.01" in said(small_page())


class TestData:
    def test_settings_before_and_after(self) -> None:
        ((found,),) = [data(small_page())]
        by_name = {layer["name"]: layer for layer in found["layers"]}
        assert by_name["dense"]["settings"][0] == ["activation", "relu", "gelu"]
        assert ["units", "8"] in by_name["dense"]["settings"]
        assert ["units", "8"] in by_name["extra"]["settings"]
        assert by_name["dense_1"]["weights"][0] == {
            "name": "bias", "kind": "(8) float32", "change": "", "numbers": [], "picture": "",
        }  # fmt: skip

    def test_how_a_layer_was_found_to_be_the_same(self) -> None:
        (found,) = data(small_page())
        by_name = {layer["name"]: layer["match"] for layer in found["layers"]}
        assert by_name["dense_1"].startswith("matched by digest, ")
        assert by_name["extra"] == ""

    def test_a_layer_stands_at_its_number(self) -> None:
        (found,) = data(small_page())
        assert [layer["number"] for layer in found["layers"]] == list(range(19))

    def test_a_model_inside_that_changed_has_a_row_and_is_not_drawn(self) -> None:
        old, _ = edited()
        new = old.copy()
        dense = [number for number, layer in new.layers.items() if layer.cls == "Dense"]
        new.wrap([dense[1], dense[1] + 1], name="part")
        (found,) = data(compared_page(compared(old, new)))
        (part,) = [layer for layer in found["layers"] if not layer["drawn"]]
        assert (part["name"], part["look"]) == ("part", "added")


class TestLayers:
    def of(self, name: str, old: Network, new: Network) -> dict[str, Any]:
        (found,) = data(compared_page(compared(old, new)))
        return next(layer for layer in found["layers"] if layer["name"] == name)

    def test_averages_are_no_weights_that_changed(self) -> None:
        old, _ = edited()
        new = old.copy()
        new.nudge([number for number, layer in new.layers.items()
                   if layer.cls == "BatchNormalization"])  # fmt: skip
        found = self.of("batch_normalization", old, new)["weights"]
        assert [weight["change"] for weight in found] == [
            "changed", "changed", "moved by training", "moved by training",
        ]  # fmt: skip
        assert "moving_mean" not in said(compared_page(compared(old, new)))

    def test_what_is_frozen(self) -> None:
        old, _ = edited()
        new = old.copy()
        new.layers[2].trainable = False
        found = self.of("dense", old, new)
        assert found["look"] == "changed"
        assert found["settings"][0] == ["trainable", "true", "false"]
        assert found["weights"][0]["kind"] == "(8) float32, trainable → not trainable"

    def test_a_setting_inside_of_another_one(self) -> None:
        old, new = Network(), Network()
        for network, rate in ((old, 0.1), (new, 0.2)):
            last = network.add("InputLayer")
            network.add("Dense", last, kernel_regularizer={"config": {"l2": rate}})
        found = self.of("dense", old, new)["settings"]
        assert found[0] == ["kernel_regularizer.l2", "0.1", "0.2"]
        assert "kernel_regularizer" not in [name for name, *_ in found]

    def test_another_class(self) -> None:
        old, _ = edited()
        new = old.copy()
        (number, *_) = [number for number, layer in new.layers.items() if layer.cls == "ReLU"]
        new.layers[number].cls = "LeakyReLU"
        new.layers[number].config = {"negative_slope": 0.3}
        found = self.of("leaky_re_lu", old, new)
        assert (found["look"], found["what"]) == ("replaced", "ReLU → LeakyReLU")
        assert ["max_value", "null", "(none)"] in found["settings"]

    @pytest.mark.parametrize(
        ("many", "expected"), [(1, "< 0.1%"), (5000, "50.0%"), (9999, "> 99.9%"), (10000, "100%")]
    )
    def test_a_share_is_all_or_nothing_where_it_is(self, many: int, expected: str) -> None:
        old = Network()
        dense = old.add("Dense", old.add("InputLayer", batch_shape=[None, 100]), units=100)
        new = old.copy()
        new.layers[dense].weights["kernel"].reshape(-1)[:many] += 1
        (_, kernel) = self.of("dense", old, new)["weights"]
        assert kernel["numbers"][3] == expected


class TestManyModels:
    def test_they_have_an_index_and_what_did_not_change_is_counted(self) -> None:
        old, new = edited()
        versions = Versions(name="c", old="v1:c", new="c")
        text = page(
            [
                outcome(old, new, "a"),
                outcome(old, old.copy(), "b"),
                Outcome(versions=versions, error="c: layers/dense/kernel.npy is missing"),
                Outcome(versions=Versions(name="d", old=None, new="d")),
            ],
            ["kvcs", "diff", "v1", "it's"],
        )
        rows = [" ".join(row.text.split()) for row in parsed(text).all("tr")][1:4]
        assert [row.partition(":")[0] for row in rows] == [
            "+aARCHITECTURE", "?cNOT COMPARED", "+dADDED",
        ]  # fmt: skip
        assert "Nothing changed in 1 other model." in said(text)
        assert "c: layers/dense/kernel.npy is missing" in said(text)
        assert """kvcs diff v1 'it'"'"'s'""" in said(text)
        assert len(data(text)) == 1

    def test_nothing_changed_at_all(self) -> None:
        old, _ = edited()
        text = page([outcome(old, old.copy(), name) for name in "ab"])
        assert "No model changed. Nothing changed in 2 models." in said(text)
        assert not parsed(text).all("script")


NAMES = list(dict.fromkeys([*HOSTILE, *FORGED, "</script><script>alert(1)</script>"]))


def named(names: Sequence[str]) -> Comparison:
    """Compare networks whose layers, settings and values have some names."""
    old = Network()
    old.chain("InputLayer", *[("Dense", {"units": 2})] * len(names))
    new = old.copy()
    for number, name in enumerate(names, 2):
        for network in (old, new):
            network.layers[number].name = f"{number}{name}"
            network.layers[number].config[f"{name}?"] = network is new
        new.layers[number].config["activation"] = name
    new.nudge([2])
    new.training = {"loss": names[0], "metrics": list(names)}
    return compared(old, new, names[-1])


class TestNames:
    def test_a_name_is_text_and_nothing_else(self) -> None:
        found = compared_page(named(NAMES))
        harmless = compared_page(named([f"chosen{number}" for number in range(len(NAMES))]))
        assert structure(found) == structure(harmless)
        (block,) = parsed(found).all("script", type="application/json")
        assert (said(found) + block.text).isprintable()

    def test_nor_in_a_notebook(self) -> None:
        found = compared_fragment(named(NAMES))
        harmless = compared_fragment(named([f"chosen{number}" for number in range(len(NAMES))]))
        assert structure(found) == structure(harmless)

    def test_long_names_are_cut(self) -> None:
        old, new = edited_with("n" * 5000, "v" * 5000)
        found = compared_page(compared(old, new))
        assert "n" * 241 not in found
        assert "… (5,000 characters)" in found


class TestOneModel:
    def show(self, network: Network) -> str:
        stored = network.stored()
        return model_page(summary(stored, "models/net"), stored)

    def test_it_says_what_the_model_is(self) -> None:
        text = said(self.show(edited()[0]))
        assert "layers 18 parameters 443 (1.8 kB), 64 not trainable" in text
        assert "input → output (None, 8) float32 → (None, 3) float32" in text
        assert "loss mse" in text

    def test_what_the_script_draws(self) -> None:
        (found,) = data(self.show(edited()[0]))
        assert {layer["look"] for layer in found["layers"]} == {"same"}
        assert len(found["edges"]) == 17


def test_the_same_models_give_the_same_page() -> None:
    assert compared_page(compared(*edited())) == small_page()


def test_a_notebook_gets_no_script_and_no_page() -> None:
    found = parsed(compared_fragment(compared(*edited())))
    assert not {"html", "body", "script", "title"} & {each.tag for each in found.elements}
    assert found.elements[0].attributes == {"class": "kvcs"}
    rules = found.all("style")[0].text.split("}")
    assert all(rule.strip().startswith(".kvcs") for rule in rules if rule.strip())


def test_a_notebook_shows_some_layers_and_says_how_many_are_left() -> None:
    old, new = deep(20, lambda network, numbers: network.nudge())
    text = compared_fragment(compared(old, new))
    assert "… 21 layers more" in said(f"<html>{text}</html>")
