"""Elements of a page, as plain text: `html.Div(["some", html.B("text")], className="card")`.

They are written as Dash's own are, and cost a fraction of them: the service writes them out as
HTML, so that a page is there before a script has run. Where one is among what Dash keeps, it goes
to the browser as one component, `Markup`, however much is in it (`assets/markup.js`); only what
has a component of Dash inside becomes one of Dash's elements.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

from dash.development.base_component import Component

NAMESPACE, MARKUP = "mlplugin_markup", "Markup"
ELEMENTS = "dash_html_components"
VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
NAMES = {
    "className": "class", "htmlFor": "for", "viewBox": "viewBox",
    "preserveAspectRatio": "preserveAspectRatio",
}  # fmt: skip
# What React alone knows of a component.
UNSAID = frozenset({"children", "key", "n_clicks"})


class Raw(str):
    """A text that is HTML already, made by the service itself."""

    __slots__ = ()


class Element:
    """An element: its tag, what is in it, and its attributes by the names that React has."""

    __slots__ = ("attributes", "children", "is_live", "tag")

    def __init__(self, tag: str, children: Any = None, **attributes: Any) -> None:
        self.tag = tag
        self.children = children
        self.attributes = attributes
        # whether a component of Dash is inside, which callbacks fill or listen to
        self.is_live = _is_live(children)

    def to_plotly_json(self) -> dict[str, Any]:
        """Give what Dash sends to the browser."""
        said = {name: value for name, value in self.attributes.items() if value is not None}
        if self.is_live:
            props = {**said, "children": flat(self.children)}
            return {"namespace": ELEMENTS, "type": self.tag.capitalize(), "props": props}
        props = {"tag": self.tag, "attributes": said, "html": rendered(self.children)}
        return {"namespace": NAMESPACE, "type": MARKUP, "props": props}

    def __repr__(self) -> str:
        return rendered(self)


def flat(children: Any) -> Any:
    """Give what is in an element without lists in lists, which Dash does not take."""
    if not isinstance(children, list | tuple):
        return children
    found: list[Any] = []
    for one in children:
        found += flat(one) if isinstance(one, list | tuple) else [one]
    return found


def _is_live(children: Any) -> bool:
    if isinstance(children, Element):
        return children.is_live
    if isinstance(children, list | tuple):
        return any(map(_is_live, children))
    return isinstance(children, Component)


def __getattr__(name: str) -> Callable[..., Element]:
    """Give what makes an element, by its tag: `Div`, `H1`."""
    if not name[:1].isupper():
        raise AttributeError(name)
    tag = name.lower()

    def element(children: Any = None, **attributes: Any) -> Element:
        return Element(tag, children, **attributes)

    globals()[name] = element
    return element


def rendered(node: Any) -> str:
    """Write a page, or a part of one, as HTML."""
    out: list[str] = []
    _write(node, out)
    return "".join(out)


def _write(node: Any, out: list[str]) -> None:
    if isinstance(node, str):
        out.append(node if isinstance(node, Raw) else escape(node))
    elif isinstance(node, Element):
        _write_element(node.tag, node.attributes, node.children, out)
    elif isinstance(node, list | tuple):
        for one in node:
            _write(one, out)
    elif isinstance(node, Component):
        said = node.to_plotly_json()
        if said["namespace"] == ELEMENTS:  # what is not one shows nothing
            props = said["props"]
            tag = said["type"].lower()
            if tag == "button":  # only Dash hears it: until it is there, it cannot be pressed
                props = {**props, "disabled": True, "aria-busy": "true"}
            _write_element(tag, props, props.get("children"), out)
    elif node is not None:
        out.append(escape(str(node)))


def _write_element(tag: str, said: dict[str, Any], children: Any, out: list[str]) -> None:
    out.append(f"<{tag}")
    for name, value in said.items():
        if value is None or value is False or name in UNSAID or isinstance(value, dict):
            continue
        shown = NAMES.get(name) or name.lower()
        out.append(f" {shown}" if value is True else f' {shown}="{escape(str(value))}"')
    out.append(">")
    if tag not in VOID:
        _write(children, out)
        out.append(f"</{tag}>")
