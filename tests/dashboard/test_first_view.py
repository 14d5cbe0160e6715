"""The first look at a page: what it shows is in the page, and what it costs is little."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import flask
import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from mlplugin.api.room import Kind, Room
from mlplugin.dashboard import html, links
from tests.dashboard import history
from tests.dashboard.browser import Watch
from tests.dashboard.conftest import Open, Site, settled

PATHS = (
    "/", "/queries?since=all", links.to_domain("example.com", since="all"),
    links.to_client("192.0.2.1", since="all"), "/vetting", "/learning", "/model?since=all",
)  # fmt: skip
# What a first view may take, over the wire: the page, style, and the scripts of our own.
MOST_BYTES, MOST_REQUESTS = 120_000, 12


def bare(browser: Browser, site: Site, path: str) -> Page:
    """A page in a browser that runs no scripts."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url + path)
    return page


@pytest.mark.parametrize("path", PATHS)
def test_what_a_page_shows_is_there_without_a_script(
    path: str, site: Site, browser: Browser, open_page: Open
) -> None:
    page = bare(browser, site, path)
    assert page.locator("main h1").count() == 1
    shown = page.locator("main").inner_text()
    page.context.close()
    there = open_page(site, path).locator("main")
    expect(there.locator("h1")).to_have_count(1)
    # the same words, but for the time that has passed, and what comes when it is opened
    words = set(there.inner_text().split())
    missing = {word for word in shown.split() if word not in words}
    assert len(missing) <= len(words) / 20, missing


def test_look_alikes_alone_may_come_later(site: Site, browser: Browser) -> None:
    for path in PATHS:
        page = bare(browser, site, path)
        waiting = page.locator("main .waiting").count()
        assert waiting <= ("/domain/" in path), path
        page.context.close()


@pytest.mark.parametrize("path", PATHS)
def test_a_first_view_is_small(path: str, site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[Request] = []

    def note(request: Request) -> None:
        asked.append(request)

    page.on("request", note)
    page.goto(site.url + path)
    settled(page)
    at = [place for place, one in enumerate(asked) if "/_dash" in one.url]
    before, after = asked[: at[0]], asked[at[0] :]
    assert len(before) <= MOST_REQUESTS, [one.url for one in before]
    assert sum(one.sizes()["responseBodySize"] for one in before) <= MOST_BYTES
    unused = ("plotly", "async", "polyfill", "dash_table")
    assert [one.url for one in asked if any(name in one.url for name in unused)] == []
    updates = [one for one in after if "_dash-update-component" in one.url]
    # the page itself, which is taken over, and the one part that may take its time
    live = 2 if path == "/" else 0  # the overview asks again and again
    assert len(updates) <= 2 + live, [one.post_data for one in updates]
    context.close()


def test_scripts_and_styles_are_asked_for_once(site: Site, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/queries")
    settled(page)
    seen = page.evaluate(
        "performance.getEntriesByType('resource').map((one) => [one.name, one.initiatorType])"
    )
    for place, kind in seen:
        if kind in {"script", "link", "css"} and "icon.svg" not in place:
            answer = context.request.get(place)
            assert "max-age=31536000" in answer.headers["cache-control"], place
    context.close()


def test_links_work_before_dash_is_there(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.route("**/_dash*/**", lambda route: route.abort())
    page.goto(f"{site.url}/")
    page.get_by_role("link", name="Queries", exact=True).first.click()
    expect(page).to_have_title("Queries · mlplugin")
    assert page.locator(".results tbody tr").count() > 0
    page.close()


@pytest.mark.parametrize(
    ("wanted", "title"), [("https://example.com/x", "example.com"), ("192.0.2.1", "192.0.2.1")]
)
def test_the_search_of_the_bar_needs_no_script(
    wanted: str, title: str, site: Site, browser: Browser
) -> None:
    page = bare(browser, site, "/vetting")
    page.get_by_role("searchbox").first.fill(wanted)
    page.get_by_role("searchbox").first.press("Enter")
    expect(page).to_have_title(f"{title} · mlplugin")
    page.context.close()


def test_what_was_written_before_dash_was_there_stays(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/_dash-layout", hold)
    page.goto(f"{site.url}/domain/example.com")
    page.get_by_label("Why", exact=True).fill("seen before")
    page.get_by_label("Why", exact=True).focus()
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    settled(page)
    assert page.locator("#first").count() == 0
    assert page.get_by_label("Why", exact=True).input_value() == "seen before"
    assert page.evaluate("document.activeElement.id") == "domain-reason"
    page.close()


def test_what_was_pressed_before_dash_was_there_holds(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    watch = Watch(site.home)
    watch.over(page)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/_dash-layout", hold)
    page.goto(f"{site.url}/vetting")
    names = page.locator("#queue-rows tr").evaluate_all("all => all.map(one => one.dataset.name)")
    while not held:
        page.wait_for_timeout(20)
    page.keyboard.press("j")
    page.wait_for_selector(f"tr[aria-current=true][data-name='{names[1]}']")
    held[0].continue_()
    settled(page)
    expect(page.locator("#queue-why .current-name")).to_have_text(names[1])
    assert watch.faults == []
    page.close()


def held_back(page: Page, what: str) -> list[Route]:
    """Keep from a page what it asks for."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route(what, hold)
    return held


def let_go(page: Page, held: list[Route]) -> None:
    while not held:
        page.wait_for_timeout(20)
    for route in held:
        route.continue_()
    settled(page)


def test_what_was_chosen_before_dash_was_there_stays(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    held = held_back(page, "**/_dash-layout")
    page.goto(f"{site.url}/domain/example.com")
    page.get_by_label("How long").select_option("1 h")
    page.get_by_label("What", exact=True).select_option("this name only")
    link = page.locator("#first a[href*='step=hour']")
    link.focus()
    let_go(page, held)
    assert page.locator("#domain-span").input_value() == "1h"
    assert page.locator("#domain-scope").input_value() == "name"
    assert "step=hour" in page.evaluate("document.activeElement.getAttribute('href') || ''")
    page.close()


@pytest.mark.parametrize("path", ["/", "/vetting", "/learning", links.to_domain("example.com")])
def test_nothing_is_pressed_that_dash_would_not_hear(
    path: str, site: Site, browser: Browser
) -> None:
    page = browser.new_page()
    held = held_back(page, "**/_dash-layout")
    page.goto(site.url + path)
    unheard = page.locator("#first button[aria-busy=true]")
    assert unheard.count() > 0
    assert [one for one in unheard.all() if one.is_enabled()] == []
    page.keyboard.press("x")
    let_go(page, held)
    assert page.locator("main button[aria-busy=true]").count() == 0
    assert site.service.vetting.all() == []
    page.close()


def test_a_threshold_that_was_moved_before_is_told(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    held = held_back(page, "**/_dash-layout")
    page.goto(f"{site.url}/model?since=all")
    page.locator("#threshold").focus()
    page.keyboard.press("End")
    moved = page.locator("#threshold").input_value()
    let_go(page, held)
    assert page.locator("#threshold").input_value() == moved
    expect(page.locator("#threshold-said")).to_have_text(moved)
    page.close()


def test_scripts_that_do_not_come_are_told_and_asked_for_again(
    site: Site, browser: Browser
) -> None:
    page = browser.new_page()
    scripts = "**/_dash-component-suites/**"
    page.route(scripts, lambda route: route.abort())
    page.goto(f"{site.url}/vetting")
    expect(page.locator("#trouble")).to_contain_text("does not answer")
    page.unroute(scripts)
    expect(page.locator("#first")).to_have_count(0, timeout=30_000)
    settled(page)
    expect(page.locator("#trouble")).to_have_text("")
    page.keyboard.press("j")
    expect(page.locator("#queue-why .current-name")).to_be_visible()
    page.close()


def test_where_there_is_no_room_a_page_comes_and_is_filled_later(
    site: Site, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = browser.new_page()
    taken = Room.take

    def take(self: Room, kind: Kind) -> bool:
        return flask.request.path != "/queries" and taken(self, kind)

    monkeypatch.setattr(Room, "take", take)
    page.goto(f"{site.url}/queries?since=all")
    settled(page)
    assert page.locator(".results tbody tr").count() > 0
    page.close()


def test_a_page_that_is_not_there(site: Site, browser: Browser) -> None:
    page = browser.new_page()
    answer = page.goto(f"{site.url}/nosuch/page")
    assert answer is not None
    assert answer.status == 404
    settled(page)
    page.get_by_role("link", name="To the overview").click()
    expect(page).to_have_title("Overview · mlplugin")
    told = page.request.get(f"{site.url}/nosuch", headers={"Accept": "application/json"})
    assert told.status == 404
    assert told.json()["status"] == 404
    page.close()


@pytest.mark.parametrize("name", ["{page}", "{%config%}", "{title}", "</title><b>x"])
def test_a_name_is_no_part_of_the_page(name: str, site: Site, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(f"{site.url}/domain/{quote(name, safe='')}")
    assert page.title() == f"{name} · mlplugin"
    assert page.locator("main h1").count() == 1
    assert page.locator("head b").count() == 0
    page.close()


def test_html_is_escaped_and_closed() -> None:
    shown = html.Div(
        [html.B('<"&'), None, 3, [html.Br(), html.Raw("<i>x</i>")]],
        className="a", hidden=True, title='"', tabIndex="0", key="k", id={"type": "x"}, lang=None,
    )  # fmt: skip
    opened, inside = html.rendered(shown).split(">", 1)
    assert opened == '<div class="a" hidden title="&quot;" tabindex="0"'
    assert inside == "<b>&lt;&quot;&amp;</b>3<br><i>x</i></div>"
    assert html.rendered(history.SCRIPT).startswith("&lt;script&gt;")


def test_an_element_is_one_component_unless_dash_has_a_part_in_it() -> None:
    from dash import dcc

    still = html.Section(html.P("x"), className="card").to_plotly_json()
    assert (still["type"], still["props"]["html"]) == ("Markup", "<p>x</p>")
    live = html.Section([[html.P("x"), dcc.Store(id="s")], None]).to_plotly_json()
    assert live["type"] == "Section"
    assert len(live["props"]["children"]) == 3
    with pytest.raises(AttributeError):
        html.no_such_thing  # noqa: B018


@pytest.mark.parametrize("path", PATHS)
def test_tables_are_whole(path: str, site: Site, open_page: Open, tmp_path: Path) -> None:
    for phone in (False, True):
        page = open_page(site, path, phone=phone)
        if not phone:
            page.set_viewport_size({"width": 1280, "height": 900})
        cut = page.evaluate(
            """[...document.querySelectorAll("main .scroll")]
                .filter((one) => one.scrollWidth > one.clientWidth + 1)
                .map((one) => one.ariaLabel)"""
        )
        assert cut == [], "phone" if phone else "1280 px"
