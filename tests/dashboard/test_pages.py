"""Every page, as people see it: light, dark, on a phone; no barrier, no error, nothing leaves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from mlplugin.dashboard import links
from mlplugin.dashboard.app import NAVIGATION
from tests.dashboard import history
from tests.dashboard.conftest import Open, Site, settled

PATHS = (
    "/",
    "/queries?limit=50",
    "/queries?qname=*.example&since=all&sort=-score",
    "/?verdict=nonsense",
    "/queries?verdict=nonsense",
    "/queries?domain=nothing.test",
    links.to_domain("www.example.com"),
    links.to_domain(history.IDN),
    links.to_domain(history.SCRIPT),
    links.to_domain("."),
    links.to_client("192.0.2.1"),
    links.to_client("2001:db8::1"),
    "/vetting",
    "/learning",
    "/model",
    "/domain/a..b",
)
# Each colour and each width once; a wide dark one for the pages that have the most on them.
LOOKS: dict[str, dict[str, Any]] = {"light": {}, "dark phone": {"theme": "dark", "phone": True}}
SEEN = [
    *((look, path) for look in LOOKS for path in PATHS),
    *(("dark", path) for path in ("/", "/queries?limit=50")),
]
LOOKS["dark"] = {"theme": "dark"}
RULES = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}


def barriers(page: Page) -> list[str]:
    """What axe-core finds wrong, each with the first element that is at fault."""
    found: Any = Axe().run(page, options=RULES).response
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]} "
        f"{one['nodes'][0].get('failureSummary', '')[:300]}"
        for one in found["violations"]
    ]


@pytest.mark.parametrize(("look", "path"), SEEN)
def test_no_barriers(look: str, path: str, site: Site, open_page: Open) -> None:
    page = open_page(site, path, **LOOKS[look])
    assert barriers(page) == []
    assert page.title() != "owned"
    over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert over <= 0, "the page is wider than the window"


def test_hostile_names_are_text(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?verdict=malicious&since=all")
    names = page.locator("td .name, th .name").all_inner_texts()
    for name in history.HOSTILE:
        assert name in names
    assert page.locator("main script, main img").count() == 0
    assert page.get_by_text(history.READABLE).count() == 1, "beside the A-label form"


# Selects a row's name as somebody does who copies it.
COPIED = """
(name) => {
  getSelection().selectAllChildren(name);
  return getSelection().toString();
}
"""


def test_a_long_name_takes_little_room_and_is_copied_whole(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?verdict=malicious&since=all", phone=True)
    name = page.locator(f".results .name[title='{history.LONG}']")
    assert name.evaluate(COPIED) == history.LONG
    box = name.bounding_box()
    assert box is not None
    assert box["height"] < 60, "two lines, or three"
    assert name.inner_text().startswith("aaaa")
    link = page.locator(".results").get_by_role("link", name=history.LONG, exact=True)
    assert link.count() == 1, "who listens hears the name, and no sign that some is not seen"


def test_what_is_wrong_with_a_filter_is_told_once(site: Site, open_page: Open) -> None:
    for path in ("/?verdict=nonsense", "/queries?verdict=nonsense"):
        page = open_page(site, path)
        assert page.locator("main .fault").count() == 1
        assert "nonsense" in page.locator("main .fault").inner_text()


def test_a_range_goes_along(site: Site, open_page: Open) -> None:
    """From the overview to a name, to a client, and from page to page by the bar."""
    page = open_page(site, "/?since=7d")
    for part in ("overview-flagged", "overview-clients", "live"):
        address = page.locator(f"#{part} tbody a").first.get_attribute("href") or ""
        assert address.endswith("since=7d"), part
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Vetting").click()
    page.wait_for_url("**/vetting?since=7d")
    settled(page)
    page.get_by_role("link", name="1 h", exact=True).click()
    page.wait_for_url("**/vetting?since=1h")
    page.get_by_role("navigation", name="Pages").get_by_role("link", name="Queries").click()
    page.wait_for_url("**/queries?since=1h")
    settled(page)
    page.get_by_label("Go to a name or a client").fill("www.example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/domain/www.example.com?since=1h")
    settled(page)


def test_a_filter_is_an_address(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries")
    page.get_by_label("Name", exact=True).fill("*.example.com")
    page.get_by_label("Verdict", exact=True).select_option("flagged")
    page.wait_for_url("**/queries?*verdict=*")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url("**/queries?*qname=*")
    settled(page)
    assert "verdict=suspicious%2Cmalicious" in page.url
    other = open_page(site, page.url.removeprefix(site.url))
    assert other.get_by_label("Name", exact=True).input_value() == "*.example.com"
    assert other.locator("tbody tr").count() == page.locator(".results tbody tr").count() == 2


def test_pages_of_rows(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?limit=50&since=all")
    total = history.QUERIES + len(history.HOSTILE)
    assert f"{total} queries" in page.locator("[role=status]").inner_text()
    seen = set(page.locator(".results time").evaluate_all("all => all.map(one => one.dateTime)"))
    assert len(seen) == 50
    page.get_by_role("link", name="Next page").click()
    page.wait_for_url("**cursor=**")
    settled(page)
    more = set(page.locator(".results time").evaluate_all("all => all.map(one => one.dateTime)"))
    assert len(more) == 50
    assert not seen & more
    page.go_back()
    page.wait_for_url(lambda url: "cursor" not in url)


def test_what_the_service_has_no_room_for_comes_later(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    refused: list[str] = []

    def busy(route: Route) -> None:
        if len(refused) == 2:
            route.continue_()
            return
        refused.append(route.request.url)
        route.fulfill(status=503, headers={"Retry-After": "1"}, body="")

    page.route("**/_dash-update-component*", busy)
    page.goto(f"{site.url}/queries?since=all")
    settled(page)
    assert len(refused) == 2
    assert page.locator(".results tbody tr").count() > 0
    page.close()


def test_moving_between_pages_loads_nothing_anew(site: Site, open_page: Open) -> None:
    page = open_page(site, "/")
    page.evaluate("window.here = true")
    for path, title in [*NAVIGATION[1:], NAVIGATION[0]]:
        page.get_by_role("navigation", name="Pages").get_by_role("link", name=title).click()
        page.wait_for_url(f"**{path}")
        page.wait_for_selector(f"nav.pages a[href='{path}'][aria-current=page]")
        assert page.evaluate("window.here === true"), path


def test_sorting_says_so(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?since=all")
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("Time")
    page.get_by_role("link", name="Score").click()
    page.wait_for_selector("th[aria-sort=descending]:has-text('Score')")
    settled(page)
    scores = page.locator(".results tbody td:nth-child(6)").all_inner_texts()
    values = [float(score) for score in scores if score[0].isdigit()]
    assert values == sorted(values, reverse=True)


def test_numbers_are_those_of_the_service(site: Site, open_page: Open) -> None:
    page = open_page(site, "/?since=all")
    from mlplugin.service.history import Asked

    stats = site.service.history.stats(Asked())
    for label in ("Queries", "Flagged", "Blocked", "Clients", "Names"):
        tile = page.locator(".tile", has=page.locator(f".label:text-is('{label}')"))
        shown = tile.locator(".value").get_attribute("title") or ""
        assert int(shown.replace(",", "")) == stats[label.lower()], label


def test_keys_alone(site: Site, open_page: Open) -> None:
    page = open_page(site)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.get_by_role("link", name="Queries", exact=True).first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title("Queries · mlplugin")
    assert page.evaluate("document.activeElement.id") == "main", "the keyboard is on the new page"


def test_going_to_a_name_or_a_client(site: Site, open_page: Open) -> None:
    page = open_page(site)
    for wanted, path in (("www.example.com", "/domain/"), ("192.0.2.1", "/client/")):
        page.get_by_role("search").get_by_role("searchbox").fill(wanted)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{path}{wanted}")
        settled(page)


@pytest.mark.parametrize(
    ("wanted", "address"),
    [
        ("https://www.example.com:8443/x?y=1#z", "/domain/www.example.com"),
        ("http://[2001:db8::1]/", "/client/2001:db8::1"),
        ("www.example.com:443", "/domain/www.example.com"),
        ("2001:db8::1", "/client/2001:db8::1"),
        ("192.0.2.0/24", "/queries?client=192.0.2.0%2F24"),
        ("192.0.2", "/queries?client=192.0.2.0%2F24"),
        ("10.", "/queries?client=10.0.0.0%2F8"),
        ("300.1", "/domain/300.1"),
        ("2001:db8::/32", "/queries?client=2001%3Adb8%3A%3A%2F32"),
        ("*.example.com", "/queries?qname=%2A.example.com"),
        ("exam", "/queries?qname=%2Aexam%2A"),
    ],
)
def test_what_is_pasted_leads_where_it_is_meant_to(
    wanted: str, address: str, site: Site, open_page: Open
) -> None:
    page = open_page(site)
    page.get_by_role("search").get_by_role("searchbox").fill(wanted)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}{address}")
    settled(page)
    expect(page.locator("#main .fault")).to_have_count(0)


def test_theme_and_clock_are_kept(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?since=all&limit=50", fresh=True)
    first = page.locator(".results time").first
    before, moment = first.inner_text(), first.get_attribute("datetime") or ""
    assert before.replace(" ", "T")[:19] == moment[:19]
    page.get_by_role("button", name="Times are in").click()
    local = first.inner_text()
    assert (int(local[11:13]) - int(before[11:13])) % 24 == 9, "Tokyo"
    page.get_by_role("button", name="The theme is").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    settled(page)
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.locator(".results time").first.inner_text() == local


PAINTED = """
getComputedStyle(document.querySelector(".chart .plot path.benign")).fill
"""


def test_charts_have_the_colours_of_the_theme(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?since=all&verdict=benign", theme="dark", fresh=True)
    assert page.evaluate(PAINTED) == "rgb(63, 86, 128)"
    page.get_by_role("button", name="The theme is").click()
    expect(page.locator(".chart .plot path.benign").first).to_have_css("fill", "rgb(169, 186, 214)")


SPAN = """
JSON.parse(document.querySelector(".plot").dataset.series)
"""


@pytest.mark.parametrize("clock", ["utc", "local"])
def test_a_stretch_that_is_drawn_over_is_opened(clock: str, site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?since=all", fresh=True)
    if clock == "local":
        page.get_by_role("button", name="Times are in").click()
    shown = page.evaluate(SPAN)
    box = page.locator(".plot").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 30)
    page.mouse.up()
    page.wait_for_url("**until=*")
    settled(page)
    query = parse_qs(urlsplit(page.url).query)
    length = shown["until"] - shown["since"]
    for name, part in (("since", 0.25), ("until", 0.5)):
        (said,) = query[name]
        at = datetime.fromisoformat(said).timestamp()
        assert abs(at - shown["since"] - part * length) < max(length / 100, 2)


def test_a_pointer_is_told_what_a_bar_stands_for(site: Site, open_page: Open) -> None:
    page = open_page(site, "/queries?since=all")
    shown = page.evaluate(SPAN)
    box = page.locator(".plot").bounding_box()
    assert box is not None
    begins = [datetime.fromisoformat(at).timestamp() for at in shown["at"]]
    # The last bar may have begun this very moment, and be too narrow to point at.
    place, begin = next(
        (place, begin)
        for place, begin in enumerate(begins)
        if shown["since"] <= begin
        and begin + shown["step"] <= shown["until"]
        and any(counts[place] for counts in shown["counts"].values())
    )
    part = (begin + shown["step"] / 2 - shown["since"]) / (shown["until"] - shown["since"])
    page.mouse.move(box["x"] + box["width"] * part, box["y"] + 20)
    tip = page.locator(".tip")
    for level, counts in shown["counts"].items():
        expect(tip).to_contain_text(f"{counts[place]} {level}")
    page.keyboard.press("Escape")
    expect(tip).to_have_count(0)


UPDATES = "**/_dash-update-component*"


def test_what_goes_wrong_is_told(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{site.url}/model")
    settled(page)
    trouble = page.locator("#trouble")
    expect(trouble).to_be_hidden()

    def wrong(answer: Callable[[Route], None], said: str) -> None:
        page.route(UPDATES, answer)
        page.get_by_role("link", name="Queries", exact=True).first.click()
        expect(trouble).to_contain_text(said)
        page.unroute(UPDATES)
        page.get_by_role("link", name="Vetting", exact=True).first.click()
        expect(page).to_have_title("Vetting · mlplugin")
        expect(trouble).to_be_hidden()

    wrong(lambda route: route.fulfill(status=500, body="{}"), "A fault of the service")
    wrong(lambda route: route.fulfill(status=413, body="{}"), "too much at once")
    wrong(lambda route: route.abort(), "does not answer")
    page.close()


def test_it_works_without_what_it_knew(site: Site, open_page: Open) -> None:
    """No page holds anything that another one needs: every address opens by itself."""
    page = open_page(site, "/queries?since=all&client=192.0.2.1")
    link = page.locator(".results tbody a").first
    address = link.get_attribute("href") or ""
    other = open_page(site, address)
    assert other.locator("h1").count() == 1
