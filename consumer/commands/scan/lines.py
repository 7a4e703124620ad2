"""What is told of each image: an object with the members of a verdict, as far as they have a meaning here. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from consumer.commands.scan.items import Item
from consumer.config.privacy import PrivacySettings
from consumer.policy.ready import RANK
from consumer.records import STRICTNESS, Decision, Verdict
from consumer.vendor_facts.aliyun import NOTHING_FOUND
from consumer.verdicts.value import whole

_AS_IN_A_VERDICT = (
    "decision", "decided_by", "risk_level", "coverage", "reasons", "findings", "hits", "error", "provider", "policy",
    "shadow",
)  # fmt: skip
"""Those of them that this release's verdicts have."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was decided about an image."""

    item: Item
    line: Mapping[str, Any] = field(repr=False)
    from_state: bool = False  # an earlier scan paid for it
    paid: int = 0  # calls for it that an earlier scan paid for

    @property
    def decision(self) -> Decision:
        """What is to become of it."""
        return Decision(self.line["decision"])

    @property
    def billed_calls(self) -> int:
        """Calls that this scan pays for."""
        calls: int = self.line["provider"]["billed_calls"]
        return 0 if self.from_state else calls - self.paid

    @property
    def error(self) -> str:
        """Why it could not be judged, as `class code`; empty where it was."""
        error = self.line["error"]
        return f"{error['class']} {error['code']}" if error else ""

    @property
    def finding(self) -> Mapping[str, Any] | None:
        """The strictest of what was found: by its level, then by its confidence. None where nothing was."""
        findings: Sequence[Mapping[str, Any]] = self.line["findings"]
        found = [each for each in findings if each["label"] != NOTHING_FOUND]
        return max(found, key=_rank, default=None)


def _rank(finding: Mapping[str, Any]) -> tuple[int, float]:
    return RANK.get(finding["level"], len(RANK)), finding["confidence"] or 0.0


def strictest_first(result: Result) -> tuple[int, tuple[int, float], str]:
    """A key to sort by: decision, then what was found, then the name."""
    found = _rank(result.finding) if result.finding else (-1, 0.0)
    return -STRICTNESS[result.decision], (-found[0], -found[1]), str(result.line["image"])


def line_of(item: Item, verdict: Verdict, privacy: PrivacySettings, provider: str) -> dict[str, Any]:
    """
    What is told of a verdict, and may be kept: nothing of it is a credential, unless `keep_query` asks for it.

    `provider` is what verdicts call the provider.
    """
    full = whole(verdict, privacy, provider)
    return {
        **_asked(item, privacy),
        **{name: full[name] for name in _AS_IN_A_VERDICT if name in full},
        "sha256": verdict.assessment.sha256,
        "decided": full["timing"]["decided"],
    }


def line_again(item: Item, kept: Mapping[str, Any], privacy: PrivacySettings) -> dict[str, Any]:
    """What was kept of an image, by the names that it has now."""
    return {**kept, **_asked(item, privacy)}


def _asked(item: Item, privacy: PrivacySettings) -> dict[str, Any]:
    return {
        "image": item.shown(keep_query=privacy.keep_query),
        "id": item.id,
        "tenant": item.tenant,
        "purpose": item.purpose,
        "bytes": item.stamp.size if item.stamp else None,
    }


def encoded(result: Result) -> bytes:
    """A result as a line of JSON."""
    return orjson.dumps({**result.line, "from_state": result.from_state}, option=orjson.OPT_APPEND_NEWLINE)
