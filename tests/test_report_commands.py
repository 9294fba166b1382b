"""Pages from the command line and from Python, with real git and without Keras."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cli import kvcs, refused
from gitrepo import commit_all, git
from histories import MODEL, network, store, version
from markdown_it import MarkdownIt
from reports import data, edited, parsed, said

import kvcs as package
from kvcs.commands.log import log


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two versions of a model; the tests run inside of it."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    git(root, "init", "--quiet")
    old, new = edited()
    version(old, "Train", metrics=["accuracy=0.5", "loss=2"])
    version(new, "Widen <it>", metrics=["accuracy=0.75"])
    return root


class TestDiff:
    def test_a_page_in_a_file(self) -> None:
        done = kvcs("diff", "HEAD~1", "HEAD", "--format", "html", "-o", "report.html")
        assert (done.code, done.out, done.err) == (0, "wrote report.html\n", "")
        text = Path("report.html").read_text()
        assert "ARCHITECTURE: 1 layer inserted" in said(text)
        assert "kvcs diff 'HEAD~1' HEAD" in said(text).rpartition("terminal:")[2]
        assert stat.S_IMODE(Path("report.html").stat().st_mode) == 0o666 & ~umask()
        assert {path.name for path in Path().iterdir()} == {".git", "models", "report.html"}

    def test_a_page_on_the_terminal_is_the_same(self) -> None:
        kvcs("diff", "HEAD~1", "HEAD", "--format=html", "-oreport.html")
        done = kvcs("diff", "HEAD~1", "HEAD", "--format", "html")
        assert done.out == Path("report.html").read_text()

    def test_histograms_are_in_a_page_and_not_in_json(self) -> None:
        page = kvcs("diff", "HEAD~1", "HEAD", "--format", "html").out
        assert parsed(page).all("svg")
        assert "histogram" not in kvcs("diff", "HEAD~1", "HEAD", "--format", "json").out

    def test_only_some_levels_or_no_statistics(self) -> None:
        page = kvcs("diff", "HEAD~1", "HEAD", "--format", "html", "--only", "config").out
        assert "SELECTED: 1 setting changed" in said(page)
        page = kvcs("diff", "HEAD~1", "HEAD", "--format", "html", "--no-stats").out
        assert not parsed(page).all("svg")

    def test_other_documents_go_to_files_too(self) -> None:
        for form in ("json", "markdown"):
            printed = kvcs("diff", "HEAD~1", "HEAD", "--format", form).out
            kvcs("diff", "HEAD~1", "HEAD", "--format", form, "-o", "found")
            assert Path("found").read_text() == printed

    def test_a_file_is_written_whole_or_not_at_all(self) -> None:
        Path("taken").mkdir()
        assert refused("diff", "HEAD~1", "HEAD", "--format", "html", "-o", "no/report.html") == (
            "could not write no/report.html: No such file or directory"
        )
        assert refused("diff", "HEAD~1", "HEAD", "--format", "html", "-o", "taken") == (
            "could not write taken: Is a directory"
        )

    def test_a_link_stays_a_link(self) -> None:
        Path("real.html").write_text("before")
        Path("link.html").symlink_to("real.html")
        kvcs("diff", "HEAD~1", "HEAD", "--format", "html", "-o", "link.html")
        assert Path("link.html").is_symlink()
        assert "ARCHITECTURE" in Path("real.html").read_text()

    def test_text_is_for_a_terminal(self) -> None:
        assert refused("diff", "HEAD~1", "HEAD", "-o", "report.html") == (
            "-o writes a document: add --format html, and report.html is a page"
        )

    def test_exit_codes_are_the_same(self) -> None:
        assert kvcs("diff", "HEAD~1", "HEAD", "--format", "html", "--exit-code").code == 1

    def test_several_models_in_one_page(self) -> None:
        old, new = edited()
        store(old, Path("models/other"))
        commit_all(Path())
        store(new, Path("models/other"))
        page = kvcs("diff", "--format", "html").out
        assert len(data(page)) == 1
        assert "Nothing changed in 1 other model." in said(page)

    def test_a_model_on_one_side_is_shown(self) -> None:
        old, _ = network()
        version(old, "Start", Path("models/other"))
        page = kvcs("diff", "HEAD~1", "HEAD", "--format", "html", "--", "models/other").out
        assert "ADDED: only in HEAD:models/other" in said(page)
        assert "layers 4 parameters 216" in said(page)
        assert len(data(page)[0]["layers"]) == 4

    def test_one_that_is_damaged_is_named_all_the_same(self) -> None:
        old, _ = network()
        store(old, Path("models/other"))
        Path("models/other/layers/dense/layer.json").write_text("{")
        commit_all(Path())
        done = kvcs("diff", "HEAD~1", "HEAD", "--format", "html", "--", "models/other")
        assert "ADDED: only in HEAD:models/other" in said(done.out)
        assert data(done.out) == []


class TestShow:
    def test_a_page(self) -> None:
        done = kvcs("show", "HEAD:models/net", "--format", "html", "-o", "model.html")
        assert done.out == "wrote model.html\n"
        assert "HEAD:models/net" in said(Path("model.html").read_text())

    def test_json_by_either_option(self) -> None:
        found = kvcs("show", "models/net", "--format", "json")
        assert found == kvcs("show", "models/net", "--json")


class TestLog:
    def test_a_page_with_plots(self) -> None:
        text = kvcs("log", "models/net", "--format", "html").out
        plots = parsed(text).all("svg")
        assert [plot.attributes["aria-label"] for plot in plots] == [
            "accuracy over the versions", "loss over the versions",
        ]  # fmt: skip
        assert not parsed(text).all("script")
        assert "Widen <it> +1 layer" in said(text)
        assert "0.5 to 0.75" in said(text)

    def test_reports_of_all_versions(self) -> None:
        old, _ = network()
        version(old, "Another one")
        done = kvcs(
            "log", "models/net", "--format", "html", "-o", "log.html", "--reports", "pages/all #1"
        )
        assert done.out == "wrote 3 reports to pages/all #1\nwrote log.html\n"
        links = [each.attributes["href"] for each in parsed(Path("log.html").read_text()).all("a")
                 if each.text == "report"]  # fmt: skip
        names = [git(Path(), "rev-parse", f"HEAD~{back}")[:12] for back in range(3)]
        assert links == [f"pages/all%20%231/{name}.html" for name in names]
        pages = [Path("pages/all #1", f"{name}.html").read_text() for name in names]
        assert "1 layer inserted" in said(pages[1])
        assert "kvcs show" in said(pages[2])

    def test_a_renamed_model_is_compared_with_what_it_was_called(self) -> None:
        git(Path(), "mv", "models/net", "models/new")
        commit_all(Path(), "Rename")
        _, new = edited()
        new.nudge()
        version(new, "Tune", Path("models/new"))
        kvcs("log", "models/new", "--format", "html", "-o", "log.html", "--reports", "pages")
        name = git(Path(), "rev-parse", "HEAD")[:12]
        assert "FINE-TUNE" in said(Path("pages", f"{name}.html").read_text())
        assert "was models/net" in said(Path("log.html").read_text())

    def test_reports_want_a_page(self) -> None:
        expected = "--reports wants the page that leads to them: --format html -o FILE"
        assert refused("log", "models/net", "--reports", "pages") == expected
        assert refused("log", "models/net", "--format", "html", "--reports", "pages") == expected

    def test_reports_are_of_this_repository(self, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "--quiet")
        model, _ = network()
        store(model, other / "net")
        commit_all(other)
        said = refused(
            "log", str(other / "net"), "--format", "html", "-o", "log.html", "--reports", "."
        )
        assert said.endswith("is in another repository than the current directory: reports are "
                             "written in that of the model")  # fmt: skip

    def test_json_by_either_option(self) -> None:
        assert kvcs("log", "models/net", "--format", "json") == kvcs("log", "models/net", "--json")

    def test_a_picture_is_no_page(self) -> None:
        assert refused("log", "models/net", "--plot", "a.png", "--format", "html") == (
            "--plot draws a picture, and a page has plots of its own: give one of them"
        )

    def test_without_metrics_there_are_no_plots(self) -> None:
        old, _ = edited()
        version(old, "Start", Path("models/plain"))
        text = kvcs("log", "models/plain", "--format", "html").out
        assert not parsed(text).all("svg")


class TestPython:
    def test_a_comparison(self) -> None:
        found = package.diff(f"HEAD~1:{MODEL}", f"HEAD:{MODEL}")
        assert "1 layer inserted" in said(found.to_html())
        assert not parsed(found.to_html()).all("svg")
        assert "1 layer inserted" in said(f"<html>{found._repr_html_()}</html>")
        assert found._repr_markdown_() == found.to_markdown()

    def test_a_comparison_with_histograms(self) -> None:
        found = package.diff(f"HEAD~1:{MODEL}", f"HEAD:{MODEL}", histograms=True)
        assert len(parsed(found.to_html()).all("svg")) == 4

    def test_a_log(self) -> None:
        found = log(MODEL)
        assert "Widen <it>" in said(found.to_html())
        assert "Widen <it>" in said(f"<html>{found._repr_html_()}</html>")
        assert "script" not in found._repr_html_()

    def test_a_log_in_markdown(self) -> None:
        tokens = MarkdownIt("commonmark").enable("table").parse(log(MODEL)._repr_markdown_())
        cells = [each.children for each in tokens if each.type == "inline"]
        texts = ["".join(part.content for part in cell or []) for cell in cells]
        assert texts[:6] == ["version", "date", "change", "accuracy", "loss", "subject"]
        assert "Widen <it>" in texts


def umask() -> int:
    found = os.umask(0)
    os.umask(found)
    return found
