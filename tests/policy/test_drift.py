from collections.abc import Iterator
from datetime import date

import pytest
import structlog
from prometheus_client import REGISTRY

from consumer.policy.decide import Deciding
from consumer.policy.drift import MOST_LOGGED, DriftWatch
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Decision, Label, ModerationResult
from consumer.vendor_facts.aliyun import CATALOGUE, LABELS, LISTED, WITHOUT_CONFIDENCE, is_listed
from tests.rig.events import submission

DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))


@pytest.fixture
def logged() -> Iterator[list[structlog.typing.EventDict]]:
    """What is logged, as the events come."""
    with structlog.testing.capture_logs() as events:
        yield events


def answer(level: str, *labels: Label, service: str = "baselineCheck_global") -> ModerationResult:
    return ModerationResult(service=service, request_id="R", risk_level=level, labels=labels)


def decided(watch: DriftWatch, *answers: ModerationResult) -> Decision:
    return watch.decide(submission(), Assessment(answers=answers), 0.0).decision


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0.0  # metrics are made when the first one counts


@pytest.mark.parametrize(
    "label",
    [
        "pornographic_adultContent", "pornographic_adultContent_lib", "pornographic_adultContent_tii",
        "pornographic_adultContent_tii_lib", "profanity_Offensive_tii", "profanity_Offensive_tii_lib",
        "violent_explosion_lib", "violent_gun_tii_lib", "QRCode", "nonLabel", "nonLabel_lib",
    ],
)  # fmt: skip
def test_a_listed_label_is_known_with_its_suffixes(label: str) -> None:
    """
    Vendor: `_lib` and `_tii` are added to labels, one after the other; some labels are listed with theirs.
    """
    assert is_listed(label)


@pytest.mark.parametrize(
    "label", ["sexual_partialNudity", "pt_logotoSocialNetwork", "qrcode", "profanity_Offensive", "_lib", "", "violent"]
)
def test_what_is_not_listed_is_news(label: str) -> None:
    """
    Vendor: two of these stand in examples and not in the list. Case counts.
    """
    assert not is_listed(label)


def test_the_list_is_the_vendors() -> None:
    """
    Vendor: 73 labels, of which the 18 that end in `_tii` are for text in the image; one finding has no confidence.
    """
    assert len(LABELS - {"nonLabel"}) == 73
    assert sum(label.endswith("_tii") for label in LABELS) == 18
    assert {"nonLabel"} == WITHOUT_CONFIDENCE
    assert LISTED == {"baselineCheck_global": LABELS}
    assert date(2026, 3, 3) <= CATALOGUE.updated


def test_news_is_counted_each_time_and_logged_once(logged: list[structlog.typing.EventDict]) -> None:
    """
    Unknown labels are counted, logged when they are new, and decided by their level like any other.
    """
    watch, before = DriftWatch(DECIDING.decide), counted("moderation_unknown_labels_total")
    news = answer("high", Label("brand_new", 90.0), Label("violent_gun"), Label("brand_newer_lib"))

    decisions = [decided(watch, news) for _ in range(3)]

    assert decisions == ["block"] * 3
    assert counted("moderation_unknown_labels_total") - before == 6
    assert [(event["event"], event["label"]) for event in logged] == [
        ("label.unknown", "brand_new"), ("label.unknown", "brand_newer_lib"),
    ]  # fmt: skip


def test_a_flood_of_news_fills_neither_log_nor_memory(logged: list[structlog.typing.EventDict]) -> None:
    """
    A process logs 1,000 unknown labels at most, each cut to a length, and counts them all.
    """
    watch, before = DriftWatch(DECIDING.decide), counted("moderation_unknown_labels_total")

    for number in range(MOST_LOGGED + 50):
        decided(watch, answer("none", Label(f"{number}_{'x' * 10_000}", None, "none")))

    assert counted("moderation_unknown_labels_total") - before == MOST_LOGGED + 50
    assert len(logged) == MOST_LOGGED
    assert max(len(event["label"]) for event in logged) == 128


def test_the_labels_of_another_service_are_no_news(logged: list[structlog.typing.EventDict]) -> None:
    """
    The list is that of one service; it says nothing about the others.
    """
    before = counted("moderation_unknown_labels_total")

    decided(DriftWatch(DECIDING.decide), answer("none", Label("anything"), service="aigcDetector_global"))

    assert counted("moderation_unknown_labels_total") == before
    assert logged == []


def test_a_label_that_the_1_0_apis_pages_do_not_list_is_news(logged: list[structlog.typing.EventDict]) -> None:
    """
    As one of 2.0 is.
    """
    before = counted("moderation_unknown_labels_total")
    labels = (Label("v1:porn:normal", 99.0, "none"), Label("v1:porn:new", 99.0, "high"), Label("violent_gun"))

    decided(DriftWatch(DECIDING.decide), answer("high", *labels, service="scan-1.0"))

    assert counted("moderation_unknown_labels_total") - before == 2
    assert [event["label"] for event in logged] == ["v1:porn:new", "violent_gun"]


def test_a_label_above_the_overall_level_is_counted() -> None:
    """
    The stricter level decides, and an answer that contradicts itself is counted once.
    """
    watch, before = DriftWatch(DECIDING.decide), counted("moderation_stricter_labels_total")
    contradiction = answer("low", Label("violent_gun", None, "high"), Label("violent_nazi", None, "medium"))
    consistent = answer("high", Label("violent_gun", None, "high"))

    assert decided(watch, contradiction, consistent) == "block"

    assert counted("moderation_stricter_labels_total") - before == 1
