"""The report in a real browser, from a file, with nothing around it that could answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, DRIVER, Browser, chromium
from reports import compared, deep, edited, outcome
from test_diff_markdown import edited as edited_with

from kvcs.commands.show import summary
from kvcs.render.html import compared_page, model_page, page

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Debian's chromium and chromium-driver"
)

ESCAPE, ENTER = "\ue00c", "\ue007"
PLACES = """
return [...document.querySelectorAll(".node")].map((each) => {
    const box = each.getBoundingClientRect();
    return [box.x, box.y, box.right, box.bottom];
});
"""
INTRUSION = """
const made = document.createElement("div");
made.innerHTML = '<img src="https://example.org/x.png" onerror="document.title = 1">'
    + '<b onclick="document.title = 2" style="color: red">x</b>';
document.body.append(made);
made.querySelector("b").click();
const script = document.createElement("script");
script.textContent = "document.title = 3";
document.body.append(script);
fetch("https://example.org/").catch(() => 0);
"""
PALE = """
const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((each) => each / 255)
        .map((each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (each) => {
    const node = each.closest(".node");
    if (node) return getComputedStyle(node.querySelector(".outline")).fill;
    for (let at = each; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
};
return [...document.querySelectorAll("body *")]
    .filter((each) => each.getClientRects().length && [...each.childNodes].some(
        (child) => child.nodeType === 3 && child.textContent.trim()))
    .map((each) => {
        const style = getComputedStyle(each);
        const pair = [each.closest("svg") ? style.fill : style.color, behind(each)];
        const [low, high] = pair.map(light).sort((one, other) => one - other);
        return [each.textContent, ...pair, (high + 0.05) / (low + 0.05)];
    }).filter(([, , , contrast]) => contrast < 4.5);
"""
HOSTILE = '</script><img src=x onerror="document.title=1">"]; click\u202e' + "n" * 5000


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def browser(started: Browser) -> Iterator[Browser]:
    """The browser; after the test, it has complained of nothing and asked for nothing."""
    started.complaints()
    started.requests()
    yield started
    assert started.complaints() == []
    assert started.requests() == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pages") / "small.html", compared_page(
        compared(*edited())))  # fmt: skip


def written(place: Path, text: str) -> Path:
    place.write_text(text, encoding="utf-8")
    return place


def names(browser: Browser) -> list[str]:
    """Return the names of the nodes that are drawn."""
    return browser.texts(".frame .node .name")


def panel(browser: Browser) -> str:
    """Return what the panel says, empty for none."""
    return "".join(browser.texts(".panel .about"))


def test_the_graph_is_drawn(browser: Browser, small: Path) -> None:
    browser.open(small)
    drawn = names(browser)
    assert sorted(drawn) == sorted([
        "input_layer", "dense", "3 layers", "dense_1", "extra", "batch_normalization_1",
        "8 layers", "re_lu_3", "dropout_3", "dense_4",
    ])  # fmt: skip
    assert len(browser.all(".frame .edge")) == 11
    assert browser.texts(".node.added .symbol") == ["+"]
    places = browser.run(PLACES)
    for at, one in enumerate(places):
        for other in places[:at]:
            apart = one[0] >= other[2] or one[2] <= other[0]
            assert apart or one[1] >= other[3] or one[3] <= other[1]


def test_a_click_on_a_node_shows_its_settings_before_and_after(
    browser: Browser, small: Path
) -> None:
    browser.open(small)
    node = browser.all('[data-key="layer 1"]')[0]
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", node)
    node.click()
    found = panel(browser)
    assert found.startswith("dense~* setting, weights")
    assert browser.texts(".panel tr.changed") == ["activationrelugelu"]
    assert "relative L2" in found
    assert len(browser.all(".panel .histogram")) == 2
    assert browser.texts("tr.chosen th") == ["dense"]
    browser.keys(ESCAPE)
    assert panel(browser) == ""


def test_enter_on_a_node_does_the_same(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.run("document.querySelector('.node.added').focus()")
    browser.keys(ENTER)
    assert panel(browser).startswith("extra+ added")


def test_a_folded_run_expands(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.run("document.querySelector('.node.run').focus()")
    browser.keys(ENTER)
    assert {"batch_normalization", "re_lu", "dropout", "8 layers"} <= set(names(browser))
    assert "3 layers" not in names(browser)
    focused = "return document.activeElement.querySelector('.name').textContent"
    assert browser.run(focused) == "batch_normalization"
    expand, fold = browser.all(".picture .tools button")[:2]
    expand.click()
    assert len(names(browser)) == 19
    fold.click()
    assert len(names(browser)) == 10


def test_keys_go_from_change_to_change(browser: Browser, small: Path) -> None:
    browser.open(small)
    seen = []
    for key in ("n", "n", "n", "N", "N", "N"):
        browser.keys(key)
        seen.append(browser.texts(".panel h2")[0])
    assert seen == ["dense", "extra", "dropout_3", "extra", "dense", "dense_4"]
    assert browser.texts(".node.chosen .name") == ["dense_4"]


def test_search(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.keys("/")
    browser.keys("GELU")
    assert browser.texts("tbody tr[data-layer] th") == ["dense"]
    assert "1 of 19 shown" in browser.texts(".layers .tools")[0]
    assert len(browser.all(".node.dim")) == 9
    browser.keys(ENTER)
    assert panel(browser).startswith("dense~*")
    assert browser.run("return document.querySelector('input[type=search]').value") == "GELU"


def test_changes_only(browser: Browser, small: Path) -> None:
    browser.open(small)
    assert len(browser.texts("tbody tr[data-layer] th")) == 19
    browser.all("input[type=checkbox]")[0].click()
    assert browser.texts("tbody tr[data-layer] th") == ["dense", "extra", "dropout_3", "dense_4"]
    browser.keys("n")  # which is a letter in the search alone
    assert browser.texts(".panel h2") == ["dense"]


def test_a_row_leads_to_its_node(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.run("document.querySelector('tr[data-layer=\"13\"]').click()")
    assert browser.texts(".panel .kinds") == ["unchanged"]
    assert browser.texts(".node.chosen .name") == ["8 layers"]


def test_without_javascript_it_is_readable(browser: Browser, small: Path) -> None:
    browser.command("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(small)
        text = browser.driver.find_element("tag name", "body").text
    finally:
        browser.command("Emulation.setScriptExecutionDisabled", value=False)
    assert "ARCHITECTURE: 1 layer inserted, 1 layer removed" in text
    assert "activation: relu → gelu" in text
    assert "optimizer.learning_rate" in text
    assert "next, previous change" not in text


def test_in_the_dark(browser: Browser, small: Path) -> None:
    ground = "return getComputedStyle(document.body).backgroundColor"
    browser.open(small)
    assert browser.run(ground) == "rgb(255, 255, 255)"
    dark = {"name": "prefers-color-scheme", "value": "dark"}
    browser.command("Emulation.setEmulatedMedia", features=[dark])
    try:
        assert browser.run(ground) == "rgb(20, 23, 27)"
    finally:
        browser.command("Emulation.setEmulatedMedia", features=[])


def test_on_paper_there_are_no_buttons(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.keys("n")
    browser.command("Emulation.setEmulatedMedia", media="print")
    try:
        assert browser.texts(".tools, .panel, .keys") == []
        assert browser.texts(".node")
    finally:
        browser.command("Emulation.setEmulatedMedia", media="")


def test_the_policy_holds(started: Browser, small: Path) -> None:
    started.open(small)
    started.run(INTRUSION)
    assert started.driver.title == "models/net"
    complaints = " ".join(started.complaints())
    for directive in ("img-src", "script-src", "style-src", "connect-src"):
        assert directive in complaints or "default-src" in complaints
    assert "ERR_NAME_NOT_RESOLVED" not in complaints  # nothing went as far as that


def test_a_request_would_be_seen(started: Browser, tmp_path: Path) -> None:
    started.open(written(tmp_path / "page.html", "<img src='https://example.org/x.png'>"))
    assert set(started.requests()) == {"https://example.org/x.png"}  # it tries twice
    assert "ERR_NAME_NOT_RESOLVED" in " ".join(started.complaints())


def test_hostile_names_do_nothing(browser: Browser, tmp_path: Path) -> None:
    old, new = edited_with(HOSTILE, HOSTILE)
    browser.open(written(tmp_path / "page.html", compared_page(compared(old, new, HOSTILE))))
    before = browser.driver.title
    for _ in range(6):
        browser.keys("n")
    assert browser.driver.title == before
    assert browser.all("img") == []
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert browser.run(wide) == 0
    browser.command("Emulation.setDeviceMetricsOverride", width=400, height=800,
                    deviceScaleFactor=1, mobile=False)  # fmt: skip
    try:
        assert browser.run(wide) == 0
    finally:
        browser.command("Emulation.clearDeviceMetricsOverride")


def test_many_models_are_drawn_when_they_are_looked_at(browser: Browser, tmp_path: Path) -> None:
    old, new = edited()
    text = page([outcome(old, new, f"models/{number}") for number in range(6)])
    browser.open(written(tmp_path / "page.html", text))
    assert len(browser.all("section.model")) == 6
    drawn = "return [...document.querySelectorAll('.frame')].map((each) => each.children.length)"
    assert browser.run(drawn)[-1] == 0
    browser.keys("N")
    assert browser.run(drawn)[-1] == 1
    assert browser.texts(".panel h2") == ["dense_4"]


def test_a_model_alone(browser: Browser, tmp_path: Path) -> None:
    stored = edited()[0].stored()
    text = model_page(summary(stored, "models/net"), stored)
    browser.open(written(tmp_path / "page.html", text))
    assert len(names(browser)) == 18
    browser.run("document.querySelector('.node').focus()")
    browser.keys(ENTER)
    assert panel(browser).startswith("input_layerInputLayer")
    assert browser.texts(".panel thead th") == ["name", "value", ""]


def test_as_many_layers_as_efficientnet_b7_has(browser: Browser, tmp_path: Path) -> None:
    def change(network, numbers) -> None:  # type: ignore[no-untyped-def]
        network.nudge(numbers[400:420])
        network.layers[numbers[-1]].config["units"] = 3
        network.reshape()

    old, new = deep(163, change)
    browser.open(written(tmp_path / "page.html", compared_page(compared(old, new))))
    assert len(names(browser)) < 60
    browser.all(".picture .tools button")[0].click()
    assert len(names(browser)) == 817
    browser.keys("n")
    assert panel(browser) != ""


def test_on_a_narrow_screen_the_panel_hides_no_layer_that_a_key_leads_to(
    browser: Browser, small: Path
) -> None:
    screen = {"width": 400, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.command("Emulation.setDeviceMetricsOverride", **screen)
    try:
        browser.open(small)
        for _ in range(4):
            browser.keys("n")
            bottom, top = browser.run(
                "return ['.node.chosen', '.panel'].map((each, at) => document.querySelector(each)"
                ".getBoundingClientRect()[at ? 'top' : 'bottom']);"
            )
            assert bottom <= top
    finally:
        browser.command("Emulation.clearDeviceMetricsOverride")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(
    browser: Browser, small: Path, scheme: str
) -> None:
    """By the formula of WCAG 2, in the graph and beside it."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.command("Emulation.setEmulatedMedia", features=features)
    try:
        browser.open(small)
        assert browser.run(PALE) == []
    finally:
        browser.command("Emulation.setEmulatedMedia", features=[])


def test_what_has_the_focus_has_a_role_and_a_name(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.keys("n")
    tree = browser.command("Accessibility.getFullAXTree")["nodes"]
    focusable = [
        node for node in tree
        if any(each["name"] == "focusable" for each in node.get("properties", ()))
        and node["role"]["value"] != "RootWebArea"
    ]  # fmt: skip
    names = {(node["role"]["value"], node["name"]["value"]) for node in focusable}
    assert {("region", "Graph"), ("button", "Smaller"), ("button", "Close (Esc)")} <= names
    assert {role for role, name in names if not name} <= {"row"}  # which is what stands in it
    assert {role for role, _ in names} <= {"button", "checkbox", "region", "row", "searchbox",
                                          "DisclosureTriangle", "link"}  # fmt: skip
