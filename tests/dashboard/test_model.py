"""The page of the model: what a threshold would flag, what was measured, the card as text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mlplugin.dashboard.pages.model import SHOWN
from mlplugin.dashboard.parts import markdown, measured
from mlplugin.model import shipped
from mlplugin.service.history import Asked
from tests.dashboard.conftest import Open, Site, running, settled
from tests.dashboard.test_pages import barriers

METRICS = json.loads((shipped() / "metrics.json").read_text())


def test_threshold_lists_what_it_would_flag(site: Site, open_page: Open) -> None:
    page = open_page(site, "/model?since=all")
    handle = page.get_by_role("slider")
    before = float(handle.input_value())
    wanted = site.service.insight.would_flag(Asked(), before)
    page.wait_for_selector(f"#would-flag :text('{wanted['names']} names')")
    handle.focus()
    handle.press("Home")
    page.wait_for_selector("#would-flag :text('from 0 on')")
    settled(page)
    lowest = site.service.insight.would_flag(Asked(), 0, SHOWN)
    assert f"{lowest['names']} names" in page.locator("#would-flag").inner_text()
    assert page.locator("#would-flag tbody tr").count() == len(lowest["values"])


def test_threshold_that_nothing_reaches(site: Site, open_page: Open) -> None:
    page = open_page(site, "/model?since=all")
    page.get_by_role("slider").focus()
    page.get_by_role("slider").press("End")
    page.wait_for_selector("#would-flag :text('nothing of this history')")


def test_unknown_version(site: Site, open_page: Open) -> None:
    page = open_page(site, "/model?version=0")
    assert "no model of this version" in page.locator("main").inner_text()


def test_what_was_measured_of_the_shipped_model() -> None:
    finds = {row.name: row for row in measured.finds(METRICS)}
    assert finds["random DGA, mean of 18 families"].worse == METRICS["macro"]["dga_random"][
        "suspicious or worse"
    ]  # fmt: skip
    assert finds["malware"].names == METRICS["finds"]["mal_malware"]["names"]
    assert len(measured.families(METRICS)) == 27
    alarms = measured.false_positives(METRICS)
    assert len(alarms) == len(METRICS["false_positives"])
    assert all(row.worse_span is not None for row in alarms)


@pytest.mark.parametrize("odd", [{}, {"finds": 3}, {"macro": {"dga_random": {}}}, {"finds": {"a": {
    "interval": {"suspicious or worse": ["x"]}}}}])  # fmt: skip
def test_odd_metrics(odd: dict[str, Any]) -> None:
    rows = measured.finds(odd) + measured.false_positives(odd)
    assert all(row.worse == 0 and row.worse_span is None for row in rows)


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (0.000116, "0.012 %"), (0.89, "89 %"), (0.000009, "0.0009 %"), (0.0123, "1.2 %")],
)
def test_percent(share: float, said: str) -> None:
    assert measured.percent(share) == said


def test_markdown_is_no_html() -> None:
    given = (
        "# Title\n\n<script>alert(1)</script> *a* `<b>` [c](javascript:alert(1)) "
        '[d](https://example.org/ "t") [e](other.md) ![f](https://example.org/x.png)\n\n'
        "| | b |\n|---|---:|\n| 1 | <i>2</i> |\n\n- one\n- two\n\n```\n<u>\n```\n"
    )
    found = markdown.rendered(given)
    assert "<h3>Title</h3>" in found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in found
    assert '<td class="figure">&lt;i&gt;2&lt;/i&gt;</td>' in found
    tags = set(re.findall(r"<([a-z0-9]+)", found))
    assert tags == {
        "h3", "p", "em", "code", "a", "div", "table", "thead", "tbody", "tr", "th", "td", "span",
        "ul", "li", "pre",
    }  # fmt: skip
    assert re.findall(r'href="([^"]*)"', found) == ["https://example.org/"]
    assert "style=" not in found
    assert "[c](javascript:alert(1))" in found, "it is no link, and stays what it is"


def test_the_shipped_model(tmp_path: Path, open_page: Open) -> None:
    with running(tmp_path, model=shipped()) as site:
        page = open_page(site, "/model")
        page.get_by_text("Model card").click()
        page.wait_for_selector("#model-card h3")
        assert page.locator("#model-card table").count() > 0
        page.get_by_text("Families of generated names").click()
        page.wait_for_selector("#model-families table")
        assert barriers(page) == []
        assert "random DGA, mean of 18 families" in (
            page.get_by_label("Malicious names that it never saw").first.get_attribute("aria-label")
            or ""
        )


def test_the_shipped_card_renders() -> None:
    found = markdown.rendered((shipped() / "README.md").read_text())
    tables = found.count("<table>")
    assert tables > 5
    assert [found.count(f'aria-label="Table {number}"') for number in (1, tables)] == [1, 1]
    assert "{" not in found
    assert "<img" not in found
