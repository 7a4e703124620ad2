"""
The verdicts the emulator gives: it judges nothing, it looks them up.

    rules:
      - match: {average_colour: red}
        labels: [{label: violent_bloody, confidence: 91.5, risk_level: high}]
      - match: {object: "avatars/*_kiss.*", service: baselineCheck_global}
        labels: [{label: sexual_kiss, confidence: 62, risk_level: low}]
      - match: {region: "cn-*"}
        labels: [{label: pt_logo, risk_level: medium}]

The first rule whose every condition holds answers; without one the answer is `nonLabel`, risk level none.
Globs are case-sensitive: `*` is anything, `?` one character, `[…]` one of a set.
"""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from consumer.emulator.images import Colour, Picture
from consumer.emulator.parameters import ImageUrl, OssObject, Parameters

RiskLevel = Literal["none", "low", "medium", "high"]
ExtPart = Literal["CustomImage", "TextInImage", "PublicFigure", "LogoData"]

_LEVELS: tuple[RiskLevel, ...] = ("none", "low", "medium", "high")
_EXT_ASKED_BY: Mapping[ExtPart, str] = {
    "CustomImage": "customImage",
    "TextInImage": "textInImage",
    "PublicFigure": "publicFigure",
    "LogoData": "logoData",
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Match(_Strict):
    """The conditions of one rule. Those given must all hold."""

    url: str | None = Field(None, description="Glob on the whole imageUrl, its query included.")
    bucket: str | None = Field(None, description="Glob on ossBucketName.")
    object: str | None = Field(None, description="Glob on ossObjectName.")
    data_id: str | None = Field(None, description="Glob on dataId.")
    service: str | None = Field(None, description="Glob on Service.")
    region: str | None = Field(None, description="Glob on the region that is asked, which need not be the bucket's.")
    sha256: str | None = Field(None, description="Of the image's bytes, in lower-case hex.", pattern="^[0-9a-f]{64}$")
    average_colour: Colour | None = Field(None, description="The name of the image's average colour.")

    def holds(self, parameters: Parameters, picture: Picture) -> bool:
        """Whether every condition given holds for this call and the image it names."""
        image = parameters.image
        texts = (
            (self.url, image.url if isinstance(image, ImageUrl) else None),
            (self.bucket, image.bucket if isinstance(image, OssObject) else None),
            (self.object, image.object if isinstance(image, OssObject) else None),
            (self.data_id, parameters.data_id),
            (self.service, parameters.service),
            (self.region, parameters.region),
        )
        return (
            all(glob is None or (text is not None and fnmatchcase(text, glob)) for glob, text in texts)
            and self.sha256 in (None, picture.sha256)
            and self.average_colour in (None, picture.average_colour)
        )


class Label(_Strict):
    """One element of `Result`. What is not given is absent from the answer."""

    label: str
    confidence: float | None = Field(None, ge=0, le=100)
    risk_level: RiskLevel | None = None
    description: str = "Given by a rule of the emulator"

    def wire(self) -> dict[str, JsonValue]:
        """As the provider writes it."""
        wire: dict[str, JsonValue] = {"Label": self.label, "Description": self.description}
        if self.confidence is not None:
            wire["Confidence"] = round(self.confidence, 2)
        if self.risk_level is not None:
            wire["RiskLevel"] = self.risk_level
        return wire


class Rule(_Strict):
    """What is answered about the images that match."""

    match: Match
    labels: tuple[Label, ...] = Field(min_length=1)
    risk_level: RiskLevel | None = Field(None, description="Of the whole image. Not given: the highest of its labels.")
    ext: Mapping[ExtPart, JsonValue] = Field(
        default_factory=dict,
        description="Auxiliary information in the provider's own spelling. Each part is sent if infoType asks for it.",
    )

    @model_validator(mode="after")
    def _has_a_level(self) -> Self:
        if self.risk_level is None and all(label.risk_level is None for label in self.labels):
            raise ValueError("say risk_level, of the rule or of one of its labels")
        return self

    @property
    def overall(self) -> RiskLevel:
        """The answer's own risk level."""
        if self.risk_level is not None:
            return self.risk_level
        return max((label.risk_level for label in self.labels if label.risk_level is not None), key=_LEVELS.index)


NO_RISK = Rule(
    match=Match(),
    labels=(Label(label="nonLabel", risk_level="none", description="No risk detected"),),
)


class RuleFile(_Strict):
    """A file of rules."""

    rules: tuple[Rule, ...]


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules of a YAML file. Raises OSError, yaml.YAMLError, pydantic.ValidationError."""
    return RuleFile.model_validate(yaml.safe_load(path.read_text("utf-8"))).rules


def answering(rules: Sequence[Rule], parameters: Parameters, picture: Picture) -> Rule:
    """The rule that answers about an image."""
    return next((rule for rule in rules if rule.match.holds(parameters, picture)), NO_RISK)


def judgement(rules: Sequence[Rule], parameters: Parameters, picture: Picture) -> dict[str, JsonValue]:
    """The answer's `Data`."""
    rule = answering(rules, parameters, picture)
    data: dict[str, JsonValue] = {
        "DataId": parameters.data_id,
        "Result": [label.wire() for label in rule.labels],
        "RiskLevel": rule.overall,
    }
    asked: dict[str, JsonValue] = {
        part: value for part, value in rule.ext.items() if _EXT_ASKED_BY[part] in parameters.info_types
    }
    if asked:
        data["Ext"] = asked
    return data
