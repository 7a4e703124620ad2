"""
What an image answers in the scenes of the 1.0 API: the rules of 2.0 answer there too. Pure.

One image has one meaning in both. A rule's labels belong to scenes by what they begin with (`SCENE_OF`); what no line
there has, and an overall level that no label explains, belongs to terrorism, `others`. The level high is block, medium
is review, low and none are pass. In each scene the strictest label answers. The 1.0 API has no services: rules that ask
for one are those of 2.0 alone, but for `service: scan-1.0`.

Vendor: the scenes, their labels and suggestions. That labels of the two APIs correspond so is assumed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from consumer.emulator.libraries import Suggestion
from consumer.emulator.rules import RiskLevel, Rule

SERVICE: Final = "scan-1.0"
"""What rules and faults call the 1.0 API where they name a service."""
CERTAIN: Final = 99.9
"""The rate where a rule gives no confidence, in percent."""

SUGGESTIONS: Final[Sequence[Suggestion]] = ("block", "review", "pass")
"""The strictest first."""
_OF_LEVEL: Final[Mapping[RiskLevel, Suggestion]] = {
    "high": "block",
    "medium": "review",
    "low": "pass",
    "none": "pass",
}
SCENE_OF: Final[Sequence[tuple[str, str, str]]] = (
    ("nonLabel", "", ""),
    ("pornographic_", "porn", "porn"),
    ("sexual_", "porn", "sexy"),
    ("violent_bloody", "terrorism", "bloody"),
    ("violent_explosion", "terrorism", "explosion"),
    ("violent_burning", "terrorism", "explosion"),
    ("violent_armedForces", "terrorism", "outfit"),
    ("violent_crowding", "terrorism", "crowd"),
    ("violent_gun", "terrorism", "weapon"),
    ("violent_knives", "terrorism", "weapon"),
    ("violent_weapon", "terrorism", "weapon"),
    ("violent_", "terrorism", "violence"),
    ("political_", "terrorism", "politics"),
    ("flag_", "terrorism", "flag"),
    ("religion_flag", "terrorism", "flag"),
    ("contraband_drug", "terrorism", "drug"),
    ("contraband_gamble", "terrorism", "gamble"),
    ("contraband_", "ad", "contraband"),
    ("pt_programCode", "qrcode", "programCode"),
    ("pt_qrCode", "qrcode", "qrcode"),
    ("pt_logo", "logo", "trademark"),
    ("pt_", "ad", "ad"),
    ("inappropriate_smoking", "live", "smoking"),
    ("profanity_", "ad", "abuse"),
    ("", "terrorism", "others"),
)
"""What a label of 2.0 begins with, and the scene and label of 1.0. The first line that fits counts; no scene: none."""
MAIN_LABEL: Final[Mapping[str, str]] = {
    "porn": "porn", "terrorism": "others", "ad": "ad", "qrcode": "qrcode", "live": "meaningless", "logo": "trademark",
}  # fmt: skip
"""What a scene says where nothing but the suggestion is known."""


@dataclass(frozen=True, slots=True)
class SceneResult:
    """What is said of an image in one scene. `rate` is in percent."""

    scene: str
    label: str
    suggestion: Suggestion
    rate: float

    def wire(self) -> dict[str, Any]:
        """As the provider writes it."""
        return {"scene": self.scene, "label": self.label, "suggestion": self.suggestion, "rate": round(self.rate, 2)}


def harmless(scene: str) -> SceneResult:
    """What is said where nothing was found."""
    return SceneResult(scene, "normal", "pass", CERTAIN)


def decided(scene: str, suggestion: Suggestion, rate: float = 100.0) -> SceneResult:
    """What a library, or people's feedback, says."""
    return SceneResult(scene, "normal" if suggestion == "pass" else MAIN_LABEL[scene], suggestion, rate)


def results_of(rule: Rule, scenes: Sequence[str]) -> list[SceneResult]:
    """What a rule answers in each of the scenes, in their order."""
    found = list(_found(rule))
    results = []
    for scene in scenes:
        of_scene = [each for each in found if each.scene == scene]
        strictest = min(of_scene, key=lambda each: (SUGGESTIONS.index(each.suggestion), -each.rate), default=None)
        results.append(strictest or harmless(scene))
    return results


def texts_of(rule: Rule) -> list[str]:
    """The lines of text that a rule says are in the image: those of its TextInImage."""
    part = rule.ext.get("TextInImage")
    lines = part.get("OcrResult") if isinstance(part, dict) else None
    texts = [each.get("Text") for each in lines if isinstance(each, dict)] if isinstance(lines, list) else []
    return [text for text in texts if isinstance(text, str)]


def _found(rule: Rule) -> Iterator[SceneResult]:
    explained = len(SUGGESTIONS)
    for label in rule.labels:
        _, scene, name = next(line for line in SCENE_OF if label.label.startswith(line[0]))
        suggestion = _OF_LEVEL[label.risk_level or rule.overall]
        if scene and suggestion != "pass":
            explained = min(explained, SUGGESTIONS.index(suggestion))
            yield SceneResult(scene, name, suggestion, CERTAIN if label.confidence is None else label.confidence)
    overall = _OF_LEVEL[rule.overall]
    if overall != "pass" and SUGGESTIONS.index(overall) < explained:
        yield SceneResult("terrorism", "others", overall, CERTAIN)
