"""From the bytes of an answer to a decision, across both stages. The oracle here reads the JSON for itself."""

from pathlib import Path
from random import Random, SystemRandom
from typing import Any

import orjson
import pytest

from consumer.alibaba.image_moderation import read_answer
from consumer.config.privacy import PrivacySettings
from consumer.errors import CallFailed
from consumer.hits import Box, FigureHit, Hits, LibraryHit, LogoHit
from consumer.locations import ByUrl
from consumer.moderation import ModerationRequest
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Decision
from consumer.vendor_facts.aliyun import LABELS
from tests.rig.events import submission

RESPONSES = Path(__file__).parent.parent / "samples" / "responses"
DECIDING = Deciding(Policy(settings=PolicySettings(policy="test", version=1), sha256="ab"))
OUTCOME = {"none": "pass", "low": "pass", "medium": "review", "high": "block"}
STRICTNESS = ["pass", "review", "block"]


def request(data_id: str = "image-1", privacy: PrivacySettings | None = None) -> ModerationRequest:
    return ModerationRequest(
        submission=data_id,
        location=ByUrl("https://img.example.com/1.jpg"),
        service="baselineCheck_global",
        privacy=privacy or PrivacySettings(),
    )


def decided(status: int, body: bytes, asked: ModerationRequest) -> Decision:
    """The decision about an answer, which must be acceptable."""
    answer = read_answer(status, {}, body, asked)
    return DECIDING.decide(submission(), Assessment(answers=(answer,)), 0.0).decision


@pytest.mark.parametrize(
    ("name", "decision", "hits"),
    [
        ("risky", "block", Hits()),
        ("harmless", "pass", Hits()),
        ("allowlisted", "pass", Hits()),
        ("image_library", "block", Hits(image_libraries=("TEST20240307",), image_hits=(LibraryHit("TEST20240307"),))),
        (
            "keyword_library", "block",
            Hits(keyword_libraries=("TEST20240307",), keyword_hits=(LibraryHit("TEST20240307"),), text_lines=3),
        ),
        ("text_in_image", "block", Hits(text_lines=3)),
        (
            "logo", "block",
            Hits(
                logos=("pt_logotoSocialNetwork",), logo_hits=(LogoHit("pt_logotoSocialNetwork", 96.15),),
                logo_names=("a channel",),
            ),
        ),
        ("public_figure", "block", Hits(public_figures=1)),
    ],
)  # fmt: skip
def test_the_vendors_examples_are_decided_as_they_say(name: str, decision: str, hits: Hits) -> None:
    """
    Vendor: every example of an answer is accepted, its hits are counted, and its overall level decides.
    """
    body = (RESPONSES / f"{name}.json").read_bytes().replace(b"****", b"0000")  # its pages mask what is echoed
    asked = request(orjson.loads(body)["Data"]["DataId"] or "image-1")

    answer = read_answer(200, {}, body, asked)

    assert answer.hits == hits
    assert decided(200, body, asked) == decision


@pytest.mark.parametrize(
    ("name", "privacy", "told"),
    [
        ("keyword_library", {"keywords": "text"}, Hits(matched_words=1, keywords=("a keyword of ours",))),
        ("text_in_image", {"keywords": "text"}, Hits(matched_words=1, keywords=("a risky word",))),
        (
            "text_in_image",
            {"recognised_text": "text"},
            Hits(recognised_text=("first line", "second line", "a line with a risky word")),
        ),
        ("public_figure", {"public_figures": "text"}, Hits(figures=("somebody",))),
    ],
)
def test_the_vendors_examples_tell_their_texts_when_asked(name: str, privacy: dict[str, Any], told: Hits) -> None:
    """
    Lines, names and words are where the examples have them.
    """
    hits = read_answer(
        200, {}, (RESPONSES / f"{name}.json").read_bytes(), request(privacy=PrivacySettings(**privacy))
    ).hits

    found = (hits.matched_words, hits.recognised_text, hits.figures, hits.keywords)
    assert found == (told.matched_words, told.recognised_text, told.figures, told.keywords)


def test_the_vendors_examples_tell_what_was_met_one_by_one_when_asked() -> None:
    """
    Libraries with name and image, a logo with name, confidence and place, a person with name and place.
    """
    privacy = PrivacySettings(libraries=True, logos=True, locations=True, public_figures="text")
    [images, keywords, logo, figure] = [
        read_answer(200, {}, (RESPONSES / f"{name}.json").read_bytes(), request(privacy=privacy)).hits
        for name in ("image_library", "keyword_library", "logo", "public_figure")
    ]

    assert images.image_hits == (LibraryHit("TEST20240307", "images of ours", "12345"),)
    assert keywords.keyword_hits == (LibraryHit("TEST20240307", "keywords of ours"),)
    assert logo.logo_hits == (LogoHit("pt_logotoSocialNetwork", 96.15, "a channel", Box(45, 30, 100, 44)),)
    assert figure.figure_hits == (FigureHit("somebody", (Box(14, 999, 13, 520),)),)
    assert [each.left_out for each in (images, keywords, logo, figure)] == [0] * 4


@pytest.mark.parametrize("suffix", ["", "_lib"])
@pytest.mark.parametrize("label", sorted(LABELS - {"nonLabel"}))
def test_a_label_of_the_vendors_table_is_decided_by_its_level(label: str, suffix: str) -> None:
    """
    No label is special: each has the outcome of its own level, or of the overall one where it has none.
    """
    for level, outcome in OUTCOME.items():
        own = {"Label": label + suffix, "Confidence": 81.22, "RiskLevel": level}
        without = {"Label": label + suffix, "Confidence": 81.22}

        assert decided(200, response({"RiskLevel": "none", "Result": [own]}), request()) == outcome
        assert decided(200, response({"RiskLevel": level, "Result": [without]}), request()) == outcome


def response(data: Any, code: Any = 200) -> bytes:
    return orjson.dumps({"RequestId": "R", "Code": code, "Msg": "OK", "Data": data})


def expected(status: int, answer: Any, data_id: str) -> str | None:
    """
    The decision that an answer of the provider asks for, or None where it must not be accepted.

    Since each level's outcome is at least as strict as a lower level's, the strictest of all levels that are told,
    overall or of a label, is the decision, and what is no known level asks for review.
    """
    data = answer.get("Data") if isinstance(answer, dict) else None
    if not 200 <= status <= 299 or not isinstance(data, dict) or type(answer.get("Code")) is not int:
        return None
    if answer["Code"] != 200 or data.get("DataId", "") not in ("", None, data_id):
        return None
    result = data.get("Result")
    if not isinstance(result, list) or len(result) == 0 or not all(map(is_a_label, result)):
        return None
    levels = [data.get("RiskLevel")] + [each["RiskLevel"] for each in result if each.get("RiskLevel") is not None]
    outcomes = [OUTCOME.get(level, "review") if isinstance(level, str) else "review" for level in levels]
    return max(outcomes, key=STRICTNESS.index)


def is_a_label(element: Any) -> bool:
    if not isinstance(element, dict) or not isinstance(element.get("Label"), str):
        return False
    confidence = element.get("Confidence")
    return confidence is None or (type(confidence) in (int, float) and 0 <= confidence <= 100)


ODD: list[Any] = [None, "", 5, 3.5, True, [], {}, ["high"], {"RiskLevel": "high"}]
ODD_LEVELS = [*ODD, "High", "NONE", "none ", "severe"]
ODD_CONFIDENCES = [*ODD, "97", -0.01, 0, 100, 100.01, 1e300]
ODD_CODES = [*ODD, 201, 400, 403, 404, 406, 408, 500, 999, "200", "Throttling"]
ODD_EXTENSIONS = [
    *ODD,
    {"TextInImage": {"OcrResult": [{"Text": 5}, None], "RiskWord": {"a": 1}, "CustomText": 3}},
    {"LogoData": [{"Logo": {"Label": None}}], "PublicFigure": {"FigureName": [1]}},
    {"CustomImage": {"LibId": 7.0}, "TextInImage": [{"OcrResult": {"Text": "one"}}]},
]
NAMES = ["nonLabel", "nonLabel", "nonLabel_lib", "violent_gun", "a_tii_lib", "not_in_the_table"]
LEVELS = ["none", "none", "low", "low", "medium", "high"]


class Answers:
    """Makes answers up: each part of one is mostly usual, so that many are acceptable, and sometimes odd or absent."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice

    def status_and_answer(self) -> tuple[int, dict[str, Any]]:
        status = self._mostly([200], [199, 201, 299, 300, 400, 403, 500, 503])
        return status, self._object(Code=self._mostly([200], ODD_CODES), Data=self._mostly([self._data()], ODD))

    def _data(self) -> dict[str, Any]:
        labels = [self._mostly([self._label()], ODD) for _ in range(self._dice.randint(1, 3))]
        return self._object(
            DataId=self._mostly(["image-1", "", None], ["image-2", *ODD]),
            RiskLevel=self._mostly(LEVELS, ODD_LEVELS),
            Result=self._mostly([labels], ODD),
            Ext=self._mostly([{}], ODD_EXTENSIONS),
        )

    def _label(self) -> dict[str, Any]:
        label = {"Label": self._mostly(NAMES, ODD)}
        if self._dice.random() < 0.5:
            label["RiskLevel"] = self._mostly(LEVELS, ODD_LEVELS)
        if self._dice.random() < 0.5:
            label["Confidence"] = self._mostly([81.22], ODD_CONFIDENCES)
        return label

    def _mostly(self, usual: list[Any], odd: list[Any]) -> Any:
        return self._dice.choice(odd if self._dice.random() < 0.05 else usual)

    def _object(self, **members: Any) -> dict[str, Any]:
        return {name: member for name, member in members.items() if self._dice.random() < 0.99}


ANSWERS = 20_000
TELL_ALL = PrivacySettings(recognised_text="text", public_figures="hash", keywords="text")


def test_an_answer_passes_only_where_all_of_it_is_harmless() -> None:
    """
    Whatever is answered ends as a failed call or as the strictest decision that any part of the answer asks for.
    """
    # A loop: hypothesis spends nine tenths of the time on drawing a seed, and cannot shrink what comes of one.
    first = SystemRandom().getrandbits(64)
    for seed in range(first, first + ANSWERS):
        status, answer = Answers(Random(seed)).status_and_answer()

        try:
            decision: str | None = decided(status, orjson.dumps(answer), request(privacy=TELL_ALL)).value
        except CallFailed:
            decision = None
        except Exception as error:
            error.add_note(f"the answer of seed {seed}: {status} {answer}")
            raise

        assert decision == expected(status, answer, "image-1"), f"the answer of seed {seed}: {status} {answer}"
