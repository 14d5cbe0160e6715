"""What a page shows where something went wrong, and who looks at it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import flask

from mlplugin.dashboard import links
from mlplugin.dashboard.html import Element
from mlplugin.dashboard.parts import cards
from mlplugin.errors import MlpluginError

LOG = logging.getLogger(__name__)
# Where the guard of the service's routes says who asks.
WHO = "mlplugin.who"


def told(build: Callable[[], Any]) -> Any:
    """Give what is built, or what is wrong, in words."""
    try:
        return build()
    except MlpluginError as fault:
        return cards.fault(fault, "Change the address or the filter, or go back.")
    except Exception:
        LOG.exception("a page of the dashboard failed")
        return cards.fault("A fault of the service.", "Its log says more.")


def of_filter(query: Mapping[str, str]) -> Element | None:
    """Give what is wrong with the filter of an address, to be told once for a whole page."""
    found = told(lambda: links.asked_of(query).parse())
    return found if isinstance(found, Element) else None


def who() -> str:
    """Give who asks, for the record of decisions."""
    found: str = flask.request.environ.get(WHO, "unknown")
    return found
