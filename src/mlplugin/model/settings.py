"""The shape of a model's ``config.json``."""

from __future__ import annotations

from itertools import pairwise
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlplugin.errors import ModelError
from mlplugin.verdict import THREATS, Threat

FORMAT = 2
REGIONS = ("subdomain", "label", "suffix")
REGION_SYMBOLS = 40  # of each region, one a kind of byte
SYMBOLS = 1 + REGION_SYMBOLS * len(REGIONS)  # and one for what lies beyond the text
HIGHEST_SCORE = 60.0

Power = Annotated[float, Field(ge=-4, le=4)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Ngram(_Part):
    """The lengths of n-grams, in bytes, and into how many buckets they are hashed."""

    min: int = Field(ge=1, le=8)
    max: int = Field(ge=1, le=8)
    buckets: int = Field(ge=1, le=2**24)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.min > self.max:
            raise ValueError("min is above max")
        if self.buckets & (self.buckets - 1):
            raise ValueError("buckets is no power of two")
        return self


class Pooling(_Part):
    """Powers of the number of n-grams by which sums are divided."""

    bag: Power
    linear: Power


class ThreatCurve(_Part):
    """From a logit to a score, linear between knots."""

    logit: list[float] = Field(min_length=1)
    score: list[float] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_knots(self.logit, self.score)
        return self


class OverallCurve(_Part):
    """From what the threats' scores come to together to the overall score."""

    inputs: list[float] = Field(alias="in", min_length=1)
    score: list[float] = Field(min_length=1)

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_knots(self.inputs, self.score)
        return self


class Calibration(_Part):
    """What turns logits into scores."""

    threats: dict[str, ThreatCurve]
    overall: OverallCurve


class Look(_Part):
    """The second look: from which score, and at what.

    Attributes:
        start: the overall score from which a name is looked at again, ``from`` in the file.
        window: the symbols that a filter sees.
        filters: their number.
        hidden: units behind them.
        longest: the bytes of a name's end that are looked at.
        share: of the second look's logits in the logits.
    """

    start: float = Field(alias="from", ge=0, le=HIGHEST_SCORE)
    window: int = Field(ge=1, le=15)
    filters: int = Field(ge=1, le=1024)
    hidden: int = Field(ge=1, le=1024)
    longest: int = Field(ge=1, le=255)
    share: float = Field(ge=0, le=1)
    prior: dict[str, float]
    calibration: Calibration

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.window % 2 == 0:
            raise ValueError("window is not odd")
        return self


class Thresholds(_Part):
    """The scores from which a name is suspicious or malicious."""

    suspicious: float
    malicious: float

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.suspicious > self.malicious:
            raise ValueError("suspicious is above malicious")
        return self


class Weights(_Part):
    """The file of weights: its name, the SHA-256 of its bytes in hex, their number."""

    file: str = Field(min_length=1)
    sha256: str
    bytes: int

    @model_validator(mode="after")
    def _check(self) -> Self:
        if PurePosixPath(self.file).name != self.file or "\\" in self.file:
            raise ValueError("file is no plain file name")
        return self


class Settings(_Part):
    """Everything in ``config.json`` that a verdict needs."""

    format: Literal[2]
    version: str = Field(pattern=r"^[!-~]{1,64}$")
    threats: list[str]
    regions: list[str]
    ngram: Ngram
    dimensions: int = Field(ge=1, le=64)
    hidden: int = Field(ge=1, le=1024)
    pooling: Pooling
    prior: dict[str, float]
    calibration: Calibration
    look: Look
    thresholds: Thresholds
    weights: Weights

    @model_validator(mode="after")
    def _check(self) -> Self:
        if tuple(self.threats) != tuple(Threat):
            raise ValueError(f"threats are not {', '.join(THREATS)}")
        if tuple(self.regions) != REGIONS:
            raise ValueError(f"regions are not {', '.join(REGIONS)}")
        _check_threats(self.prior, self.calibration, "")
        _check_threats(self.look.prior, self.look.calibration, "look.")
        return self


def parse(raw: bytes, where: str) -> Settings:
    """Read the configuration of a model.

    Args:
        raw: the bytes of the file.
        where: the file's name for messages.

    Raises:
        ModelError: if it is no JSON, of another format, or has a key missing or wrong.
    """
    try:
        return Settings.model_validate_json(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False)
    # Another format may have other keys, so that it is the first thing to say.
    fault = next((found for found in faults if found["loc"] == ("format",)), faults[0])
    key = ".".join(map(str, fault["loc"]))
    if fault["loc"] == ("format",) and fault["type"] == "literal_error":
        raise ModelError(
            f"{where}: format {fault['input']} is not known, only {FORMAT} is; "
            "use a matching version of mlplugin or another model"
        )
    if fault["type"] == "missing":
        raise ModelError(f"{where}: {key} is missing; train the model again")
    what = fault["msg"].removeprefix("Value error, ")
    said = f"{key}: {what}" if key else what
    unread = fault["type"] == "json_invalid"
    todo = "copy the model directory again" if unread else "train the model again"
    raise ModelError(f"{where}: {said}; {todo}")


def _check_threats(prior: dict[str, float], calibration: Calibration, where: str) -> None:
    for threat in THREATS:
        if threat not in prior:
            raise ValueError(f"{where}prior.{threat} is missing")
        if threat not in calibration.threats:
            raise ValueError(f"{where}calibration.threats.{threat} is missing")


def _check_knots(inputs: list[float], outputs: list[float]) -> None:
    if len(inputs) != len(outputs):
        raise ValueError(f"{len(inputs)} inputs for {len(outputs)} scores")
    if any(left >= right for left, right in pairwise(inputs)):
        raise ValueError("the inputs are not strictly ascending")
    if any(left > right for left, right in pairwise(outputs)):
        raise ValueError("the scores are not ascending")
