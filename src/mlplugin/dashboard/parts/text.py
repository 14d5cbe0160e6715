"""Names, clients, times and numbers as they are shown; strangers choose most of these texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlplugin.dashboard import html, links
from mlplugin.dashboard.html import Element
from mlplugin.qname import split_labels

A_PREFIX = "xn--"
MISSING = "–"
# Of a name in a list that is longer so much of each end is seen.
LONGEST, SEEN = 72, 30
# Some 23,000 clean names calibrate the shipped model: higher scores are drawn out beyond them.
MEASURED_SCORE = 43.0


def plain(text: object) -> str:
    """Give a text that is safe to show: what is not printable is written as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
        for char in str(text)
    )


def u_label_form(name: str) -> str | None:
    """Give a name as its readers write it, None where that is no different or cannot be shown."""
    if A_PREFIX not in name:
        return None
    labels = [_u_label(label) for label in split_labels(name)]
    shown = ".".join(labels)
    return shown if shown != name else None


def _u_label(label: str) -> str:
    if not label.startswith(A_PREFIX):
        return label
    try:
        decoded = label.removeprefix(A_PREFIX).encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return label
    # One that could steer the text around it, or that is no real label, stays as it is.
    return decoded if decoded and decoded.isprintable() and not decoded.isascii() else label


def name(qname: str | None, **asked: str | None) -> Element | str:
    """Show a name, linked to its page."""
    shown = bare_name(qname)
    if not qname:
        return shown
    return html.A(shown, href=links.to_domain(qname, **asked), className="quiet")


def bare_name(qname: str | None) -> Element | str:
    """Show a name: the A-label form, and the U-label form where it differs."""
    if not qname:
        return MISSING
    shown: list[Any] = [in_little(html.Span, plain(qname), "name")]
    readable = u_label_form(qname)
    if readable:
        shown.append(in_little(html.Bdi, readable, "u-label"))
    return html.Span(shown)


def in_little(element: Callable[..., Element], text: str, kind: str) -> Element:
    """Show a text whose middle is not seen where it is long, but is there: it is copied, too."""
    if len(text) <= LONGEST:
        return element(text, className=kind)
    middle = html.Span(text[SEEN:-SEEN], className="middle")
    return element([text[:SEEN], middle, text[-SEEN:]], className=kind, title=text)


def client(ip: str | None, **asked: str | None) -> Element | str:
    """Show a client, linked to its page."""
    shown = bare_client(ip)
    return html.A(shown, href=links.to_client(ip, **asked), className="quiet") if ip else shown


def bare_client(ip: str | None) -> Element | str:
    """Show a client or a subnet."""
    return html.Span(plain(ip), className="client") if ip else MISSING


def moment(rfc3339: str | None, *, digits: int = 0) -> Element | str:
    """Show a time (UTC); the page's switch turns it into local time."""
    if not rfc3339:
        return MISSING
    shown = rfc3339[:19].replace("T", " ")
    fraction = rfc3339[19:].rstrip("Z")[1:]
    if digits:
        shown += "." + fraction.ljust(digits, "0")[:digits]
    return html.Time(shown, dateTime=rfc3339, **{"data-digits": str(digits)})


def number(value: float | None) -> str:
    """Write a count with its thousands apart."""
    return MISSING if value is None else f"{value:,.0f}"


def counted(count: int, one: str, many: str) -> str:
    """Write how many there are of something: `1 query`, `2,000 queries`."""
    return f"{number(count)} {one if count == 1 else many}"


def short(value: float) -> str:
    """Write a count in four or five characters."""
    if abs(value) < 1e4:
        return f"{value:,.0f}"
    units = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
    # What three digits round up to a unit is one.
    size, unit = next(one for one in units if abs(value) >= 0.9995 * one[0])
    return f"{value / size:.3g}{unit}"


def score(value: float | None) -> str:
    """Write a score."""
    return MISSING if value is None else f"{value:.1f}"


def as_high(of: float) -> str:
    """Say how many clean names score so high, as far as that was measured: so many calibrate."""
    if of > MEASURED_SCORE:
        return "fewer than one clean name in 20,000 scores"
    return f"about one clean name in {10 ** (of / 10):,.0f} scores"


def share(part: float, whole: float) -> str:
    """Write a share in percent, small ones too."""
    if not whole:
        return MISSING
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 10 or not percent else f"{percent:.2g} %"


def size(octets: float) -> str:
    """Write bytes."""
    for bound, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if octets >= bound:
            return f"{octets / bound:.3g} {unit}"
    return f"{octets:.0f} B"


def verdict(level: str, threat: str | None = None) -> Element:
    """Show a verdict, by its word and form as well as its colour."""
    said = [html.Span(className="mark", **{"aria-hidden": "true"}), plain(level)]
    if threat:
        said.append(html.Span(plain(threat), className="threat"))
    return html.Span(said, className=f"verdict {level if level.isalpha() else ''}")


def action(taken: str | None) -> Element | str:
    """Show an action; what was only observed is quiet."""
    if not taken:
        return MISSING
    quiet = "action" if taken == "observe" else "action taken"
    return html.Span(plain(taken), className=quiet)
