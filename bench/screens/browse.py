"""A real browser: how long a page takes until it is still, and what it should not do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.dashboard.browser import Watch

WIDE = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE = 240_000  # milliseconds
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
# Runs in each page before anything else. A page is shown when nothing in the window is left to be
# counted, with the frame that shows it; it is still when Dash is there, too, nothing is asked for,
# nothing at all is left to be counted, and the page has not changed for a while; the time is that
# at which it became so. What was there before does not count: the page itself has to have been
# asked for, and answered.
INSIDE = """
(() => {
  const STILL = 160, UNCHANGED = 400;
  let asked = 0, answered = 0, changed = 0, filled = 0, filledAt = 0, seen = null;
  const fetched = window.fetch;
  window.fetch = async (...given) => {
    asked += 1;
    const isPage = String(given[1]?.body || "").includes("page.children");
    try {
      const answer = await fetched(...given);
      if (isPage && answer.ok) { filled += 1; filledAt = performance.now(); }
      return answer;
    } finally { answered += 1; }
  };
  const isThere = (isSeen = () => true) => document.querySelector("main h1, main .fault")
    && ![...document.querySelectorAll("main .waiting")].some(isSeen);
  const inWindow = (one) => one.getBoundingClientRect().top < innerHeight;
  const look = () => {
    if (seen === null && document.readyState !== "loading" && isThere(inWindow)) {
      seen = 0;
      requestAnimationFrame(() => { seen = performance.now(); });
    }
  };
  new MutationObserver((all) => {
    look();
    if (all.some(({ target }) => (target.nodeType === 1 ? target : target.parentElement)
        ?.closest?.("main"))) changed = performance.now();
  }).observe(document, { childList: true, subtree: true, characterData: true });
  document.addEventListener("readystatechange", look);
  /* The overview asks again all the time: it is there when nothing is left to be counted. */
  const isLive = () => document.getElementById("overview-tiles");
  const isReady = () => isThere() && !document.getElementById("first")
    && (isLive() || (asked === answered && !document.documentElement.dataset.busy));
  const long = [];
  new PerformanceObserver((list) => {
    for (const one of list.getEntries()) long.push({ at: one.startTime, took: one.duration });
  }).observe({ type: "longtask", buffered: true });
  const still = (since, more) => new Promise((done, fail) => {
    let stood = null;
    const look = () => {
      const now = performance.now();
      const isOther = changed > filledAt || now - filledAt > UNCHANGED;
      if (filled >= more && isOther && isReady()) {
        if (stood === null) stood = changed > filledAt ? now : filledAt;
        else if (changed > stood && !isLive()) stood = now;
        if (now - stood > STILL) { requestAnimationFrame(() => done(stood - since)); return; }
      } else stood = null;
      if (now - since > 240000) { fail(new Error("the page does not become still")); return; }
      setTimeout(look, 12);
    };
    look();
  });
  window.bench = {
    first: async () => { const stood = await still(0, 1); return [seen, stood]; },
    act: (deed) => {
      const since = performance.now(), more = filled + 1;
      deed();
      return still(since, more);
    },
    long: () => long.splice(0),
  };
})();
"""


@dataclass
class Window:
    """A page under watch."""

    page: Page
    watch: Watch
    home: str

    def open(self, path: str) -> float:
        """Go to an address; seconds until the page is shown, from the beginning of navigation."""
        return self.opened(path)[0]

    def opened(self, path: str) -> tuple[float, float]:
        """Go to an address; seconds until the page is shown, and until it is still."""
        self.page.goto(self.home + path, wait_until="commit")
        shown, still = self.page.evaluate("bench.first()")
        return float(shown) / 1000, float(still) / 1000

    def follow(self, selector: str) -> float:
        """Press what a selector names; seconds until the page is still."""
        self.page.wait_for_selector(selector)
        said = "(selector) => bench.act(() => document.querySelector(selector).click())"
        return float(self.page.evaluate(said, selector)) / 1000

    def choose(self, field: str, value: str) -> float:
        """Choose a value of a field of the filter; seconds until the page is still."""
        said = """([name, value]) => bench.act(() => {
            const field = document.querySelector(`form.filter [name=${name}]`);
            field.value = value;
            field.dispatchEvent(new Event("change", { bubbles: true }));
        })"""
        return float(self.page.evaluate(said, [field, value])) / 1000

    def write(self, field: str, value: str) -> float:
        """Write into a field of the filter and send it; seconds from the key until it is still."""
        box = f"form.filter [name={field}]"
        self.page.fill(box, value)
        said = """(box) => bench.act(() => document.querySelector(box).form.requestSubmit())"""
        return float(self.page.evaluate(said, box)) / 1000

    def long_tasks(self) -> list[dict[str, float]]:
        """What held the page up since it was last asked: when, and how many milliseconds."""
        found: list[dict[str, float]] = self.page.evaluate("bench.long()")
        return found

    def barriers(self) -> list[str]:
        """What axe-core finds wrong."""
        found: Any = Axe().run(self.page, options=RULES).response
        return [
            f"{one['impact']}: {one['id']}: {one['nodes'][0]['html'][:160]}"
            for one in found["violations"]
        ]

    def faults(self) -> list[str]:
        """Errors in the console, and requests that left the machine, since last asked."""
        found = [*self.watch.faults]
        self.watch.faults.clear()
        return found


@contextlib.contextmanager
def window(
    found: Browser, home: str, *, theme: str = "light", phone: bool = False, width: int = 0
) -> Iterator[Window]:
    """Open a window of a browser that was never here."""
    context = found.new_context(
        viewport=PHONE if phone else {**WIDE, **({"width": width} if width else {})},  # type: ignore[arg-type]
        color_scheme=theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE)
    context.add_init_script(INSIDE)
    page = context.new_page()
    watch = Watch(home.removeprefix("http://"))
    watch.over(page)
    yield Window(page, watch, home)
    context.close()
