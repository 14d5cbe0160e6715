"""What is read from RDAP documents. They come from strangers: types and lengths are checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

LONGEST, MOST = 200, 20
# Some registries write the year 1 for a time that they do not know; .com began in this one.
FIRST_YEAR = 1985
# Deepest nesting of entities that is looked at: a registrar, and its abuse contact.
DEEPEST = 2


def servers(bootstrap: Any) -> dict[str, str]:
    """Read IANA's list of RDAP servers (RFC 9224): the base URL of each top-level domain.

    Raises ValueError if it is none.
    """
    services = bootstrap.get("services") if isinstance(bootstrap, dict) else None
    if not isinstance(services, list) or not services:
        raise ValueError("no list of RDAP servers")
    found: dict[str, str] = {}
    for service in services:
        match service:
            case [list(suffixes), list(urls), *_]:
                texts = [url for url in urls if isinstance(url, str)]
                # https first, as RFC 9224 wants
                texts.sort(key=lambda url: urlsplit(url).scheme != "https")
                if texts:
                    found |= {str(suffix).lower(): texts[0] for suffix in suffixes}
    return found


def registration(document: Any) -> dict[str, Any]:
    """Read a domain's document (RFC 9083, 5.3). Raises ValueError if it is none."""
    if not isinstance(document, dict) or document.get("objectClassName") != "domain":
        raise ValueError("no domain")
    events = _events(document)
    registrar = next(_with_role(document, "registrar"), {})
    secure = document.get("secureDNS")
    signed = secure.get("delegationSigned") if isinstance(secure, dict) else None
    return {
        "registrar": _name(registrar) or _text(registrar.get("handle")),
        "created": events.get("registration"),
        "updated": events.get("last changed"),
        "expires": events.get("expiration"),
        "status": [text for text in map(_text, _list(document.get("status"))) if text],
        "nameservers": [
            name.lower().rstrip(".")
            for server in _objects(document.get("nameservers"))
            if (name := _text(server.get("ldhName")))
        ],
        "abuse": next(filter(None, map(_mail, _with_role(document, "abuse"))), None),
        "dnssec": signed if isinstance(signed, bool) else None,
    }


def _list(value: Any) -> list[Any]:
    return value[:MOST] if isinstance(value, list) else []


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (one for one in _list(value) if isinstance(one, dict))


def _text(value: Any) -> str | None:
    """A text in one line of bounded length; None for what is no text, or an empty one."""
    if not isinstance(value, str):
        return None
    seen = "".join(char if char.isprintable() else " " for char in value[: LONGEST * 2])
    return " ".join(seen.split())[:LONGEST] or None


def _events(document: dict[str, Any]) -> dict[str, str]:
    """The latest date of each kind of event."""
    found: dict[str, str] = {}
    for event in _objects(document.get("events")):
        kind, date = event.get("eventAction"), _date(event.get("eventDate"))
        if isinstance(kind, str) and date is not None:
            found[kind] = max(date, found.get(kind, date))
    return found


def _date(value: Any) -> str | None:
    """A time in UTC to the second; registries write it in every form of RFC 3339."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError, OverflowError):
            moment = datetime.fromisoformat(value.strip()[:40].upper())
            moment = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
            return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment.year >= FIRST_YEAR else None
    return None


def _with_role(
    document: dict[str, Any], role: str, depth: int = DEEPEST
) -> Iterator[dict[str, Any]]:
    """The entities with a role, those in others as well."""
    for entity in _objects(document.get("entities")):
        if role in _list(entity.get("roles")):
            yield entity
        if depth > 1:
            yield from _with_role(entity, role, depth - 1)


def _card(entity: dict[str, Any], wanted: str) -> Iterator[str]:
    """The values of a property of an entity's jCard (RFC 7095)."""
    match entity.get("vcardArray"):
        case ["vcard", list(properties), *_]:
            for entry in properties[: MOST * 2]:
                match entry:
                    case [str(kind), _, _, value, *_] if kind == wanted and (text := _text(value)):
                        yield text


def _name(entity: dict[str, Any]) -> str | None:
    return next(_card(entity, "fn"), None) or next(_card(entity, "org"), None)


def _mail(entity: dict[str, Any]) -> str | None:
    return next(_card(entity, "email"), None)
