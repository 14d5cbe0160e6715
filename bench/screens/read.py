"""What stands on a page: its figures, as a reader sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

READ = """
() => {
  const cell = (element) => {
    const time = element.querySelector("time[datetime]");
    if (time) return time.getAttribute("datetime");
    const client = element.querySelector(".client");
    const name = element.querySelector(".name") || client;
    if (name) return name.textContent;
    const exact = element.querySelector(".amount [title]");
    return exact ? exact.title : element.textContent.trim();
  };
  const tables = {};
  for (const table of document.querySelectorAll("main table")) {
    const rows = [...table.querySelectorAll("tbody tr")].map((row) => [...row.cells].map(cell));
    const head = [...table.querySelectorAll("thead th")].map((one) =>
      one.textContent.replace(/[↕↓↑]/g, "").trim());
    tables[table.caption?.textContent || ""] = { head, rows };
  }
  const tiles = {};
  for (const tile of document.querySelectorAll("main .tile")) {
    const value = tile.querySelector(".value"), change = tile.querySelector(".change");
    tiles[tile.querySelector(".label").textContent] = {
      value: value ? value.title || value.textContent : null,
      change: change ? change.title || change.textContent : null,
      times: [...tile.querySelectorAll("time")].map((one) => one.getAttribute("datetime")),
    };
  }
  const facts = {};
  for (const one of document.querySelectorAll("main dl > div")) {
    facts[one.querySelector("dt").textContent] = cell(one.querySelector("dd"));
  }
  const charts = {};
  for (const one of document.querySelectorAll("main .plot[data-series]")) {
    const { name } = one.closest(".chart").dataset;
    const { at, counts, names } = JSON.parse(one.dataset.series);
    charts[name] = counts
      ? Object.entries(counts).map(([level, found]) => ({ name: level, x: at, y: found }))
      : [{ name: "names", x: (names || []).map((_, score) => score), y: names || [] }];
  }
  return { tables, tiles, facts, charts, text: document.querySelector("main").textContent };
}
"""


@dataclass
class Seen:
    """A page's tables by caption, its tiles by label, its terms, its charts."""

    tables: dict[str, dict[str, Any]]
    tiles: dict[str, dict[str, Any]]
    facts: dict[str, str]
    charts: dict[str, list[dict[str, Any]]]
    text: str

    @classmethod
    def of(cls, page: Page) -> Seen:
        """Read it."""
        return cls(**page.evaluate(READ))

    def table(self, caption: str, *columns: str) -> list[tuple[str, ...]]:
        """Give some columns of a table; nothing where there is no such table."""
        found = self.tables.get(caption)
        if found is None:
            return []
        places = [found["head"].index(column) for column in columns]
        return [tuple(row[place] for place in places) for row in found["rows"]]

    def counts(self, chart: str) -> dict[str, dict[str, int]]:
        """Give what a chart shows by time and verdict, without what is nought."""
        found: dict[str, dict[str, int]] = {}
        for trace in self.charts[chart]:
            for at, count in zip(trace["x"], trace["y"], strict=True):
                if count:
                    found.setdefault(at[:19].replace(" ", "T"), {})[trace["name"]] = count
        return found
