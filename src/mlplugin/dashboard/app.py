"""The dashboard's application: the shell around the pages, and which page an address means."""

from __future__ import annotations

import functools
import gzip
import re
import secrets
from collections.abc import Callable, Mapping
from html import escape
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import flask
from dash import ClientsideFunction, Dash, Input, Output, dcc
from dash import html as live

from mlplugin.dashboard import html, links
from mlplugin.dashboard.fingerprints import ASSETS, MARK, fingerprint
from mlplugin.dashboard.first import Build, First, Handed
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.pages import client, domain, learning, model, overview, queries, vetting
from mlplugin.dashboard.parts import cards
from mlplugin.dashboard.parts.faults import told, who
from mlplugin.dashboard.parts.text import plain
from mlplugin.dashboard.shared import Shared
from mlplugin.service.service import Service

MOST_BODY_BYTES = 1 << 20
SUITES = "/_dash-component-suites/"
MOST_PACKED = 64
# Where the application says what is called at its end.
ENDING = "mlplugin.ending"
PAGES: tuple[ModuleType, ...] = (overview, queries, domain, client, vetting, learning, model)
NAVIGATION = (
    ("/", "Overview"), ("/queries", "Queries"), ("/vetting", "Vetting"),
    ("/learning", "Learning"), ("/model", "Model"),
)  # fmt: skip

# What is there before Dash is: the shell, charts and keys. `first.js` runs before all.
AT_ONCE = ("shell.js", "charts.js", "pages.js", "start.js")

INDEX = """<!doctype html>
<html lang="en">
<head>
{%metas%}
<meta name="color-scheme" content="light dark">
<title>{%title%}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<script src="{first}" nonce="{nonce}"></script>
{%css%}
{at once}
</head>
<body>
{shell}
<main id="main" tabindex="-1">
<div id="first">{page}</div>
{%app_entry%}
</main>
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>
"""
# Dash begins in here, unseen until it has what stands in the page already.
ENTRY = '<div id="react-entry-point" hidden></div>'
PLACES = re.compile(r"\{(first|nonce|at once|shell|title|page)\}")
# What Dash brings for browsers of long ago, and its own tables, of which there are none here.
UNUSED = re.compile(r'<script src="[^"]*/(?:polyfill@|dash_table/)[^"]*"></script>')
# An asset with the time of its last change, as Dash writes it.
LISTED = re.compile(r"/assets/([\w.-]+)\?m=[\d.]+")
SCRIPT = re.compile(r"<script(?= src=)")


class _Page(Dash):
    """Dash under a content policy, in a page that has its content before Dash is there.

    What a page shows is written into it by the service, so that it is seen at once and without
    Dash's scripts. `assets/start.js` brings those in when the page is painted.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # gives the title and the HTML of the page that the request asks for
        self.page: Callable[[], tuple[str, str]] = lambda: ("", "")

    def interpolate_index(self, **parts: Any) -> str:
        """Write the page, with the nonce of this response."""
        title, shown = self.page()
        parts["title"], parts["app_entry"] = "{title}", ENTRY
        # a script of a type that no browser knows is not fetched: `start.js` does it
        parts["css"] = self._addressed(parts["css"])
        parts["scripts"] = UNUSED.sub("", self._addressed(parts["scripts"]))
        parts["scripts"] = SCRIPT.sub('<script class="later" type="text/plain"', parts["scripts"])
        parts["renderer"] = '<script id="_dash-renderer" type="text/plain"></script>'
        page: str = super().interpolate_index(**parts)
        scripts = "\n".join(
            f'<script defer src="{self._address(name)}"></script>' for name in AT_ONCE
        )
        own = {
            "first": self._address("first.js"), "nonce": _nonce(), "at once": scripts,
            "shell": SHELL, "title": escape(title), "page": shown,
        }  # fmt: skip
        # all at once: what a name says is not read again
        return PLACES.sub(lambda place: own[place[1]], page)

    def _address(self, asset: str) -> str:
        """Give the address of an asset as it is now: another one has another address."""
        found: str = self.get_asset_url(asset)
        return f"{found}?{MARK}={fingerprint(asset)}"

    def _addressed(self, listed: str) -> str:
        """Write the assets that Dash lists as the others; it names the time of a change alone."""
        return LISTED.sub(lambda found: self._address(found[1]), listed)

    def policy(self) -> str:
        """Give the policy for the page: nothing from elsewhere, and nothing that is not ours.

        Scripts come from here. Dash makes style sheets at run time, which carry the response's
        nonce.
        """
        return (
            "default-src 'none'; connect-src 'self'; font-src 'self'; img-src 'self' data:; "
            f"script-src 'self'; style-src 'self' 'nonce-{_nonce()}'; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )


class _Packed:
    """Dash's own scripts, some megabytes of them, compressed once."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}

    def pack(self, response: flask.Response) -> None:
        """Compress the body of a script, where the browser takes that."""
        if response.status_code != 200 or not flask.request.accept_encodings.quality("gzip"):
            return
        path = flask.request.path
        if path not in self._bodies:
            if len(self._bodies) >= MOST_PACKED:
                return
            response.direct_passthrough = False
            self._bodies[path] = gzip.compress(response.get_data(), 6, mtime=0)
        response.set_data(self._bodies[path])
        response.headers["Content-Encoding"] = "gzip"
        response.headers.add("Vary", "Accept-Encoding")


def _nonce() -> str:
    """Give the nonce of this response."""
    found: str | None = flask.g.get("nonce")
    if found is None:
        found = flask.g.nonce = secrets.token_urlsafe(16)
    return found


def create(service: Service) -> Dash:
    """Make the dashboard of a service, with a WSGI application of its own in `server`."""
    server = flask.Flask("mlplugin.dashboard", static_folder=None)
    server.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    app = _Page(
        "mlplugin.dashboard",
        server=server,
        assets_folder=str(ASSETS),
        index_string=INDEX,
        title="mlplugin",
        update_title=None,
        suppress_callback_exceptions=True,
        enable_mcp=False,
        assets_ignore="|".join(map(re.escape, ("first.js", *AT_ONCE))),
    )

    packed = _Packed()

    @server.after_request
    def guarded(response: flask.Response) -> flask.Response:
        if response.mimetype == "text/html":
            response.headers["Content-Security-Policy"] = app.policy()
        if flask.request.path.startswith(SUITES):
            # What has no fingerprint in its name is asked for again, and not sent again.
            response.headers.setdefault("Cache-Control", "no-cache")
            packed.pack(response)
        return response

    shared = Shared()
    build = functools.partial(_built, service=service, shared=shared)
    handed = Handed(service.vetting.current)
    app.layout = _layout
    app.page = first = First(title_of, build, handed)

    def end() -> None:
        first.end()
        shared.end()

    server.extensions[ENDING] = end
    _register_shell(app, build, handed)
    for page in PAGES:
        page.register(app, service, shared)
    return app


def _layout() -> Any:
    """Give what Dash has: the address, and the page that belongs to it."""
    return live.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="page-title"),
            live.Div(id="page"),
            dcc.Store(id="page-shown"),
        ]
    )


def _built(path: str, search: str, service: Service, shared: Shared) -> tuple[str, Any]:
    """Give the title of a page, and what it shows."""
    build = resolve(path)[1]
    title = title_of(path)
    found = told(lambda: build(links.read(search), service, shared))
    if isinstance(found, Element):  # a fault alone; a page has its own head
        found = [cards.heading(title), found]
    return title, found


def _bar() -> list[Element]:
    pages = [html.A(title, href=path) for path, title in NAVIGATION]
    search = html.Form(
        [
            html.Label("Go to a name or a client", htmlFor="go", className="unseen"),
            html.Input(id="go", name=links.SOUGHT, type="search", placeholder="Name or client…",
                      autoComplete="off", spellCheck="false", className="box"),
        ],
        id="go-form",
        action=links.GO,  # leads on without a script, too
        role="search",
    )  # fmt: skip
    return [
        html.A([html.Span(className="logo", **{"aria-hidden": "true"}), "mlplugin"],
               href="/", className="brand"),
        html.Nav(pages, className="pages", **{"aria-label": "Pages"}),
        search,
        html.Div(
            [
                html.Button("UTC", id="clock", className="switch", type="button"),
                html.Button("Theme", id="theme", className="switch", type="button"),
                html.Button("Sign out", id="sign-out", className="switch", type="button",
                            hidden=True),
            ],
            className="switches",
        ),
    ]  # fmt: skip


def _shell() -> list[Element]:
    """Give what stands around every page."""
    return [
        html.A("Skip to content", href="#main", className="skip", **{"data-plain": "true"}),
        html.Header(_bar(), className="bar"),
        # what went wrong and no page could tell; `assets/shell.js` writes it
        html.Div(id="trouble", role="alert", className="trouble"),
    ]


SHELL = html.rendered(_shell())


def _register_shell(app: Dash, build: Build, handed: Handed) -> None:
    @app.callback(
        Output("page", "children"),
        Output("page-title", "data"),
        Input("url", "pathname"),
        Input("url", "search"),
    )
    def show(pathname: str | None, search: str | None) -> tuple[Any, str]:
        path, query = pathname or "/", search or ""
        title, found = handed.take(who(), path, query) or build(path, query)
        return found, title

    app.clientside_callback(
        ClientsideFunction("mlplugin", "arrived"),
        Output("page-shown", "data"),
        Input("page-title", "data"),
        Input("page", "children"),
    )


def title_of(pathname: str) -> str:
    """Give the title of the page that a path means, as it can be shown."""
    return plain(resolve(pathname)[0])


def resolve(pathname: str) -> tuple[str, Callable[[Mapping[str, str], Service, Shared], Any]]:
    """Give the title of the page that a path means, and what builds it."""
    first, _, rest = pathname.lstrip("/").partition("/")
    argument = unquote(rest)
    whole: dict[str, ModuleType] = {
        "": overview, "queries": queries, "vetting": vetting, "learning": learning, "model": model,
    }  # fmt: skip
    if first in whole and not rest:
        return whole[first].TITLE, whole[first].layout
    within = {"domain": (domain, "name"), "client": (client, "ip")}
    if first in within:
        page, key = within[first]

        def build(query: Mapping[str, str], service: Service, shared: Shared) -> Any:
            asked = argument or query.get(key, "")
            return page.layout({**query, key: asked}, service, shared)

        return argument or page.TITLE, build
    return "No such page", lambda *_: cards.fault(
        "There is no such page.", html.A("To the overview", href=links.to_overview())
    )
