"""
Which verdict which image gets.
"""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from consumer.emulator.images import Gallery
from consumer.emulator.parameters import ImageUrl, OssObject, Parameters
from consumer.emulator.rules import Rule, judgement, read_rules
from consumer.emulator.settings import EmulatorSettings
from tests.rig.pictures import picture

RED = Gallery().look(picture("red"))
EXT = {
    "CustomImage": [{"LibId": "lib-1", "LibName": "Logos", "ImageId": "7"}],
    "TextInImage": {"OcrResult": [{"Text": "buy now"}], "RiskWord": None, "CustomText": None},
}


def asked(
    image: ImageUrl | OssObject | None = None,
    *,
    service: str = "baselineCheck_global",
    data_id: str = "",
    info: str = "",
    region: str = "us-west-1",
) -> Parameters:
    return Parameters(
        service=service,
        image=image or OssObject("uploads", "avatars/a.png", "eu-west-1"),
        data_id=data_id,
        info_types=frozenset(info.split(",")) if info else frozenset(),
        region=region,
    )


def rule(match: dict[str, Any], **more: Any) -> Rule:
    labels = [{"label": "violent_bloody", "confidence": 91.503, "risk_level": "high"}]
    return Rule.model_validate({"match": match, "labels": labels} | more)


@pytest.mark.parametrize(
    ("match", "parameters"),
    [
        ({"url": "https://cdn.example.com/*.png?x=1"}, asked(ImageUrl("https://cdn.example.com/a/b.png?x=1"))),
        ({"object": "avatars/*"}, asked()),
        ({"bucket": "up*", "object": "avatars/?.png"}, asked()),
        ({"data_id": "img-*"}, asked(data_id="img-7")),
        ({"service": "aigc*"}, asked(service="aigcDetector_global")),
        ({"region": "us-*", "bucket": "uploads"}, asked()),
        ({"sha256": RED.sha256}, asked()),
        ({"average_colour": "red"}, asked()),
        ({}, asked()),
    ],
)
def test_a_rule_answers_what_it_matches(match: dict[str, Any], parameters: Parameters) -> None:
    """
    A rule whose conditions hold gives its labels, with confidences to two decimals, and its level.
    """
    data = judgement([rule(match)], parameters, RED)

    assert data["RiskLevel"] == "high"
    assert data["Result"] == [
        {
            "Label": "violent_bloody",
            "Confidence": 91.5,
            "RiskLevel": "high",
            "Description": "Given by a rule of the emulator",
        }
    ]


@pytest.mark.parametrize(
    ("match", "parameters"),
    [
        ({"url": "*"}, asked()),
        ({"object": "*"}, asked(ImageUrl("https://cdn.example.com/a.png"))),
        ({"object": "Avatars/*"}, asked()),
        ({"average_colour": "blue"}, asked()),
        ({"sha256": "0" * 64}, asked()),
        ({"region": "eu-west-1"}, asked()),  # which is the bucket's
        ({"object": "avatars/*", "data_id": "x"}, asked(data_id="y")),
    ],
)
def test_what_no_rule_matches_is_without_risk(match: dict[str, Any], parameters: Parameters) -> None:
    """
    One condition that fails is enough: then the answer is nonLabel, level none, without a confidence.
    """
    data = judgement([rule(match)], parameters, RED)

    assert data["RiskLevel"] == "none"
    assert data["Result"] == [{"Label": "nonLabel", "RiskLevel": "none", "Description": "No risk detected"}]


def test_the_first_rule_that_matches_answers() -> None:
    """
    Rules are asked in their order.
    """
    rules = [rule({"average_colour": "blue"}), rule({}, risk_level="low"), rule({"average_colour": "red"})]

    assert judgement(rules, asked(), RED)["RiskLevel"] == "low"


def test_the_level_is_that_of_the_worst_label() -> None:
    """
    Where a rule gives no level of its own, the highest of its labels' is the answer's; labels may have none.
    """
    labels = [
        {"label": "sexual_kiss", "risk_level": "low"},
        {"label": "violent_gun", "risk_level": "medium"},
        {"label": "pt_logo", "confidence": 0},
    ]

    data = judgement([rule({}, labels=labels)], asked(), RED)

    assert data["RiskLevel"] == "medium"
    assert isinstance(data["Result"], list)
    assert data["Result"][2] == {
        "Label": "pt_logo",
        "Confidence": 0.0,
        "Description": "Given by a rule of the emulator",
    }


@pytest.mark.parametrize(
    ("info", "parts"),
    [
        ("", None),
        ("customImage", ["CustomImage"]),
        ("customImage,textInImage,logoData", ["CustomImage", "TextInImage"]),
        ("publicFigure", None),
    ],
)
def test_auxiliary_information_is_sent_when_asked_for(info: str, parts: list[str] | None) -> None:
    """
    Of a rule's Ext only the parts that infoType names are sent, as they are written; nothing asked, no Ext.
    """
    data = judgement([rule({}, ext=EXT)], asked(info=info), RED)

    assert data.get("Ext") == (None if parts is None else {part: EXT[part] for part in parts})


@pytest.mark.parametrize(
    "broken",
    [
        {"match": {"colour": "red"}, "labels": [{"label": "a", "risk_level": "low"}]},
        {"match": {}, "labels": []},
        {"match": {}, "labels": [{"label": "a"}]},
        {"match": {}, "labels": [{"label": "a", "risk_level": "severe"}]},
        {"match": {}, "labels": [{"label": "a", "risk_level": "low", "confidence": 101}]},
        {"match": {}, "labels": [{"label": "a", "risk_level": "low"}], "ext": {"FaceData": []}},
        {"match": {"sha256": "abc"}, "labels": [{"label": "a", "risk_level": "low"}]},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(broken: dict[str, Any]) -> None:
    """
    Unknown keys, missing levels and impossible values are refused when rules are read.
    """
    with pytest.raises(ValidationError):
        Rule.model_validate(broken)


def test_rules_are_read_from_yaml(tmp_path: Path) -> None:
    """
    Settings take the path of a YAML file in place of the rules themselves.
    """
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules:\n"
        "  - match: {average_colour: red}\n"
        "    labels: [{label: violent_bloody, confidence: 91.5, risk_level: high}]\n"
    )

    settings = EmulatorSettings(rules=str(path))

    assert settings.rules == read_rules(path)
    assert judgement(settings.rules, asked(), RED)["RiskLevel"] == "high"


@pytest.mark.parametrize("text", ["rules: [", "rule: []", None, "2020-99-99", "[" * 500, "!!bool x", "? [a]"])
def test_an_unreadable_rules_file_is_a_mistake_in_the_settings(text: str | None, tmp_path: Path) -> None:
    """
    A file that is missing, is not YAML or has no rules makes the settings invalid.
    """
    path = tmp_path / "rules.yaml"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ValidationError):
        EmulatorSettings(rules=path)
