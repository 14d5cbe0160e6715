"""The dashboard's application: the shell around the pages, and which page an address means."""

from __future__ import annotations

import functools
import gzip
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import flask
from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from mlplugin.dashboard import links
from mlplugin.dashboard.pages import client, domain, learning, model, overview, queries, vetting
from mlplugin.dashboard.parts import cards, charts
from mlplugin.dashboard.parts.faults import told
from mlplugin.dashboard.shared import Shared
from mlplugin.service.service import Service

ASSETS = Path(__file__).with_name("assets")
MOST_BODY_BYTES = 1 << 20
SUITES = "/_dash-component-suites/"
MOST_PACKED = 64
PAGES: tuple[ModuleType, ...] = (overview, queries, domain, client, vetting, learning, model)
NAVIGATION = (
    ("/", "Overview"), ("/queries", "Queries"), ("/vetting", "Vetting"),
    ("/learning", "Learning"), ("/model", "Model"),
)  # fmt: skip

INDEX = """<!doctype html>
<html lang="en">
<head>
{%metas%}
<meta name="color-scheme" content="light dark">
<title>{%title%}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<script src="/assets/first.js" nonce="{nonce}"></script>
{%css%}
</head>
<body>
<noscript>This page needs JavaScript. The API has all it shows: /openapi.json</noscript>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>
"""


class _Page(Dash):
    """Dash under a content policy: what its scripts may run and bring in is named exactly."""

    def interpolate_index(self, **parts: Any) -> str:
        """Write the page, with the nonce of this response."""
        page: str = super().interpolate_index(**parts)
        return page.replace("{nonce}", _nonce())

    def policy(self) -> str:
        """Give the policy for the page: nothing from elsewhere, and nothing that is not ours.

        Scripts come from here, or are the two that Dash writes into the page (by their hashes).
        Dash and plotly make style sheets at run time, which carry the response's nonce.
        """
        scripts = " ".join(self.csp_hashes())
        return (
            "default-src 'none'; connect-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
            f"script-src 'self' {scripts}; style-src 'self' 'nonce-{_nonce()}'; "
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
        assets_ignore=r"first\.js",
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
    app.layout = _shell
    _register_shell(app, service, shared)
    charts.register(app)
    for page in PAGES:
        page.register(app, service, shared)
    return app


def _shell() -> Component:
    """Give what stands around every page."""
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="look"),
            dcc.Store(id="page-title"),
            html.A("Skip to content", href="#main", className="skip", **{"data-plain": "true"}),
            html.Header(_bar(), className="bar"),
            # what went wrong and no page could tell; `assets/shell.js` writes it
            html.Div(id="trouble", role="alert", className="trouble"),
            html.Main(id="main", tabIndex="-1", children=cards.waiting()),
        ],
        id="shell",
    )


def _bar() -> list[Component]:
    pages = [html.A(title, href=path) for path, title in NAVIGATION]
    search = html.Form(
        [
            html.Label("Go to a name or a client", htmlFor="go", className="unseen"),
            dcc.Input(id="go", name="go", type="search", placeholder="Name or client…",
                      autoComplete="off", spellCheck="false", className="box"),
        ],
        id="go-form",
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


def _register_shell(app: Dash, service: Service, shared: Shared) -> None:
    @app.callback(
        Output("main", "children"),
        Output("page-title", "data"),
        Input("url", "pathname"),
        Input("url", "search"),
    )
    def show(pathname: str | None, search: str | None) -> tuple[Any, str]:
        title, build = resolve(pathname or "/")
        query = links.read(search)
        found = told(functools.partial(build, query, service, shared))
        if isinstance(found, Component):  # a fault alone; a page has its own head
            found = [cards.heading(title), found]
        return found, title

    app.clientside_callback(
        ClientsideFunction("mlplugin", "arrived"),
        Output("look", "data"),
        Input("page-title", "data"),
    )


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
