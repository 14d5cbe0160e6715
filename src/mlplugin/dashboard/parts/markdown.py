"""Markdown as HTML that is safe to put into a page: no HTML of its own, no pictures, no styles.

It goes into the page as one piece, because a component for each of a card's thousands of cells
would take a browser half a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

# The page has headings of its own above: `#` of a text becomes an h3.
DEEPER, DEEPEST = 2, 6
SCROLLS = '<div class="scrolls" role="region" tabindex="0" aria-label="Table {}"><table>\n'
EMPTY_HEAD = '<span class="unseen">set</span>'


class _Renderer(RendererHTML):
    """What is different from HTML as usual."""

    def image(self, *_tokens: Any) -> str:
        return ""

    def table_open(self, _tokens: Any, _place: int, _options: Any, env: Any) -> str:
        """Let a table scroll by itself, and be reached with the keyboard for that."""
        env["tables"] = env.get("tables", 0) + 1
        return SCROLLS.format(env["tables"])

    def table_close(self, *_tokens: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], place: int, *_rest: Any) -> str:
        content = tokens[place + 1].content
        return f'<th scope="col"{_side(tokens[place])}>{"" if content else EMPTY_HEAD}'

    def td_open(self, tokens: Sequence[Token], place: int, *_rest: Any) -> str:
        return f"<td{_side(tokens[place])}>"

    def link_open(self, tokens: Sequence[Token], place: int, options: Any, env: Any) -> str:
        """Let only what leads outside by https be a link; the rest leads nowhere from here."""
        token = tokens[place]
        if not str(token.attrs.get("href", "")).startswith("https://"):
            token.attrs = {}
        else:
            token.attrs |= {"rel": "noopener noreferrer", "target": "_blank"}
        return self.renderToken(tokens, place, options, env)


def _side(cell: Token) -> str:
    return ' class="figure"' if "right" in str(cell.attrs.get("style", "")) else ""


READER = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable("table")


def rendered(text: str) -> str:
    """Give a markdown text as HTML."""
    tokens = READER.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + DEEPER, DEEPEST)}"
    html: str = READER.renderer.render(tokens, READER.options, {})
    return html
