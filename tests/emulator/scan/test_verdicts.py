"""
One image has one meaning in both APIs: what the rules of 2.0 answer in the scenes of 1.0.
"""

from typing import Any

import orjson
import pytest

from consumer.emulator.rules import NO_RISK, Rule
from consumer.emulator.scan.parameters import SCENES
from consumer.emulator.scan.verdicts import SUGGESTIONS, results_of, texts_of


def rule(*labels: dict[str, Any], **more: Any) -> Rule:
    return Rule.model_validate({"match": {}, "labels": labels, **more})


def findings(given: Rule) -> dict[str, str]:
    """What is not harmless."""
    return {
        each.scene: f"{each.label} {each.suggestion}" for each in results_of(given, SCENES) if each.suggestion != "pass"
    }


@pytest.mark.parametrize(
    ("label", "found"),
    [
        ("pornographic_adultContent", {"porn": "porn block"}),
        ("sexual_kiss", {"porn": "sexy block"}),
        ("violent_bloody", {"terrorism": "bloody block"}),
        ("violent_explosion", {"terrorism": "explosion block"}),
        ("violent_gun", {"terrorism": "weapon block"}),
        ("violent_nazi", {"terrorism": "violence block"}),
        ("political_CNFlag", {"terrorism": "politics block"}),
        ("flag_country", {"terrorism": "flag block"}),
        ("contraband_drug_tii", {"terrorism": "drug block"}),
        ("contraband_gamble", {"terrorism": "gamble block"}),
        ("pt_qrCode", {"qrcode": "qrcode block"}),
        ("pt_programCode", {"qrcode": "programCode block"}),
        ("pt_logotoSocialNetwork", {"logo": "trademark block"}),
        ("pt_custom_01", {"ad": "ad block"}),
        ("inappropriate_smoking", {"live": "smoking block"}),
        ("profanity_Oral_tii", {"ad": "abuse block"}),
        ("never_seen", {"terrorism": "others block"}),
    ],
)
def test_a_label_belongs_to_one_scene(label: str, found: dict[str, str]) -> None:
    """
    One that nobody foresaw is among the others of terrorism: it does not get lost.
    """
    assert findings(rule({"label": label, "risk_level": "high"})) == found


@pytest.mark.parametrize(
    ("level", "found"),
    [("high", {"porn": "sexy block"}), ("medium", {"porn": "sexy review"}), ("low", {}), ("none", {})],
)
def test_the_level_is_the_suggestion(level: str, found: dict[str, str]) -> None:
    """
    High is block, medium is review, and the rest passes.
    """
    assert findings(rule({"label": "sexual_kiss", "risk_level": level})) == found


def test_the_strictest_label_of_a_scene_answers() -> None:
    """
    Of equals the surer one.
    """
    given = rule(
        {"label": "violent_gun", "risk_level": "medium", "confidence": 99},
        {"label": "violent_bloody", "risk_level": "high", "confidence": 70},
        {"label": "violent_explosion", "risk_level": "high", "confidence": 80},
        {"label": "sexual_kiss", "risk_level": "low"},
    )

    assert findings(given) == {"terrorism": "explosion block"}
    assert [each.rate for each in results_of(given, ("terrorism",))] == [80]


def test_a_level_that_no_label_explains_is_not_lost() -> None:
    """
    The answer's own level counts, as it does at 2.0.
    """
    given = rule({"label": "sexual_kiss", "risk_level": "low"}, risk_level="high")

    assert findings(given) == {"terrorism": "others block"}
    assert findings(rule({"label": "nonLabel"}, risk_level="medium")) == {"terrorism": "others review"}


def test_every_scene_that_is_asked_is_answered_once() -> None:
    """
    In the order of the question, and nothing else.
    """
    answered = results_of(NO_RISK, ("logo", "porn"))

    assert [each.wire() for each in answered] == [
        {"scene": "logo", "label": "normal", "suggestion": "pass", "rate": 99.9},
        {"scene": "porn", "label": "normal", "suggestion": "pass", "rate": 99.9},
    ]
    assert orjson.dumps([each.wire() for each in answered])
    assert SUGGESTIONS == ("block", "review", "pass")


@pytest.mark.parametrize(
    ("ext", "texts"),
    [
        ({}, []),
        ({"TextInImage": {"OcrResult": [{"Text": "a"}, {"Text": 1}, "b", {}]}}, ["a"]),
        ({"TextInImage": {"OcrResult": None}}, []),
        ({"TextInImage": []}, []),
    ],
)
def test_the_text_in_an_image_is_what_its_rule_says(ext: dict[str, Any], texts: list[str]) -> None:
    """
    Its lines, where there are any.
    """
    assert texts_of(rule({"label": "nonLabel", "risk_level": "none"}, ext=ext)) == texts
