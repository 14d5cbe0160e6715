"""Who registered a domain: asked of the registry when somebody asks here, and not before."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel, Field

from mlplugin.api.access import from_elsewhere
from mlplugin.api.problems import COMMON, described, problem
from mlplugin.api.room import RETRY_SECONDS, Kind, Room
from mlplugin.api.schemas import NamePath
from mlplugin.service.service import Service


class RegistrationAnswer(BaseModel):
    """What a registry says of a domain (RDAP), as far as it says anything."""

    domain: str = Field(description="What the answer is about: the registered domain.")
    registrar: str | None
    created: str | None
    updated: str | None
    expires: str | None
    status: list[str]
    nameservers: list[str]
    abuse: str | None = Field(description="The registrar's address for complaints.")
    dnssec: bool | None = Field(description="Whether the delegation is signed.")
    server: str | None = Field(description="The registry's server that was asked.")
    asked: str = Field(description="When it was asked.")
    error: str | None = Field(description="Why there is no answer; null where there is one.")


ANSWERS = {200: RegistrationAnswer, **described(429)}


def routes(service: Service, room: Room) -> APIBlueprint:
    """Give the route that asks registries."""
    blueprint = APIBlueprint(
        "registration", __name__, abp_tags=[Tag(name="history")], abp_responses=COMMON
    )

    @blueprint.get("/api/v1/domains/<name:name>/registration", responses=ANSWERS)
    def get_registration(path: NamePath) -> dict[str, Any] | Response:
        """Ask the registry of a domain who registered it, and when (RDAP); kept for a day."""
        # what goes out to strangers is not for pages of other sites to set off
        refused = from_elsewhere()
        if refused is not None:
            return refused
        if not room.take(Kind.REGISTRIES):
            why = "registries are being asked already: wait for one to answer"
            return problem(429, why, headers={"Retry-After": str(RETRY_SECONDS)})
        try:
            return service.registration(path.name)
        finally:
            room.give(Kind.REGISTRIES)

    return blueprint
