"""`policy explain` of rules about more than a finding."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consumer.commands.policy import explaining
from consumer.config.privacy import PrivacySettings
from consumer.hits import NOTHING_MET, Hits, LibraryHit, LogoHit
from consumer.policy.decide import Deciding
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import Assessment, Label, ModerationResult
from consumer.verdicts.encode import Encoding
from tests.rig.events import submission

CONDITIONS = (
    "policy: img-mod\nversion: 7\ninfo: [customImage, textInImage, publicFigure, logoData]\n"
    "record_context: [trust]\nrules:\n"
    "  - {id: lib, match: {library: [ours, theirs]}, then: block}\n"
    "  - {id: known, match: {label: [x], figure: true}, then: pass}\n"
    "  - {id: brand, match: {logo: [brand]}, then: block}\n"
    "  - {id: new, match: {label: ['*'], context: {trust: [new, true]}}, then: review}\n"
)


def answered(*, privacy: PrivacySettings, context: bytes = b"{}", **hits: Any) -> bytes:
    """A verdict as the service publishes it, about two labels of one answer."""
    info = ("customImage", "textInImage", "publicFigure", "logoData") if hits else ()
    settings = PolicySettings(policy="other", version=3, info=info)
    labels = (Label("x_lib", 90.0, "low"), Label("x", 80.0, "low"))
    answer = ModerationResult(
        service="s", request_id="R", risk_level="low", labels=labels, hits=Hits(**hits) if hits else NOTHING_MET
    )
    about = replace(submission(), context=context)
    verdict = Deciding(Policy(settings=settings, sha256="ab")).decide(about, Assessment(answers=(answer,)), 0.0)
    return Encoding(group="g", privacy=privacy).verdict(verdict).value or b""


@pytest.mark.parametrize(
    ("context", "hits", "said", "first", "second"),
    [
        (b'{"trust":"old"}',
         {"image_libraries": ("mine",), "image_hits": (LibraryHit("mine"),), "public_figures": 1,
          "logo_names": ("other",), "logos": ("l",), "logo_hits": (LogoHit("l", name="other"),)},
         [],
         ["✗ lib (→ block): the libraries that were met are mine, not ours or theirs", "✗ known (→ pass): it is about "
          "other labels", "✗ brand (→ block): the logos that were met are other, not brand",
          "✗ new (→ review): context.trust is old, not new or true"],
         ["✗ lib (→ block): no library was met", "✓ known (→ pass): matches",
          "✗ brand (→ block): the logos that were met are other, not brand",
          "✗ new (→ review): context.trust is old, not new or true"]),
        (b"{}", {},
         ["the provider was not asked for customImage or textInImage, so that no rule on libraries is taken to match",
          "the provider was not asked for publicFigure, so that no rule on people is taken to match",
          "the provider was not asked for logoData, so that no rule on logos is taken to match"],
         ["✗ lib (→ block): no library was met", "✗ known (→ pass): it is about other labels; no person was recognised",
          "✗ brand (→ block): no logo was met", "✗ new (→ review): context.trust is missing, not new or true"],
         ["✗ lib (→ block): no library was met", "✗ known (→ pass): no person was recognised",
          "✗ brand (→ block): no logo was met", "✗ new (→ review): context.trust is missing, not new or true"]),
    ],
)  # fmt: skip
def test_what_is_known_beside_findings_is_explained(
    tmp_path: Path, context: bytes, hits: dict[str, Any], said: list[str], first: list[str],
    second: list[str],
) -> None:  # fmt: skip
    """
    Libraries, people, logos and context, as the verdict has them, and what nobody asked for.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text(CONDITIONS)
    verdict = tmp_path / "verdict.json"
    verdict.write_bytes(answered(privacy=PrivacySettings(logos=True), context=context, **hits))

    lines = [line.strip() for line in explaining.explain(policy, verdict).splitlines()[1:]]

    assert lines[: len(said) + 1] == [*said, ""]
    lines = lines[len(said) + 1 :]
    assert lines[1:5] == first
    assert lines[7:11] == second


def test_what_a_verdict_does_not_keep_is_said(tmp_path: Path) -> None:
    """
    Names of logos by the privacy settings, and a context that was too large.
    """
    policy = tmp_path / "policy.yaml"
    policy.write_text(CONDITIONS)
    logos: dict[str, Any] = {"logos": ("l",), "logo_hits": (LogoHit("l", name="brand"),), "logo_names": ("brand",)}
    written = json.loads(answered(privacy=PrivacySettings(), **logos))
    verdict = tmp_path / "verdict.json"
    verdict.write_text(json.dumps({**written, "context": None, "omitted": ["context"]}))

    assert explaining.explain(policy, verdict).splitlines()[1:3] == [
        "it has no context, which was too large, so that no rule on it is taken to match",
        "it does not keep names of logos (privacy.logos), so that no rule on them is taken to match",
    ]
