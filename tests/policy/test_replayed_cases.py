"""Made-up policies, replayed: what a verdict tells leads to what the answers led to, or to a reason why it cannot."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest
import yaml
from pydantic import ValidationError

from consumer.config.privacy import PrivacySettings
from consumer.policy.backtest.alike import Kinds
from consumer.policy.decide import Deciding
from consumer.policy.replay import NotReplayable, Replayed, Replaying, recorded
from consumer.policy.schema import Policy, PolicySettings
from consumer.records import DECISIONS, Assessment, Submission
from consumer.verdicts.encode import Encoding
from tests.rig.policy_cases.cases import INFO, Image, case
from tests.rig.policy_cases.play import assessment_of, submission_of

TOLD = PrivacySettings(context="all", logos=True)
HIDDEN = PrivacySettings(context="none")


def pairs(numbers: range) -> Iterator[tuple[Policy, Policy, tuple[Image, ...]]]:
    """Two policies, and images; policies that contradict themselves are left out."""
    for number in numbers:
        cases = [case(7, 2 * number + at, 6, 0.0) for at in (0, 1)]
        trees = [yaml.safe_load(each.policy) for each in cases]
        if number % 3:  # both ask the same, so that most can be replayed
            for tree in trees:
                tree.update(services=["one"], info=INFO)
                for overlay in tree["overlays"]:
                    overlay.pop("services", None)
                    overlay.pop("info", None)
        try:
            settings = [PolicySettings.model_validate(each) for each in trees]
        except ValidationError:
            continue
        current, candidate = (
            Policy(settings=each, sha256=f"{at}" * 64) for at, each in enumerate(settings)
        )  # fmt: skip
        yield current, candidate, cases[1].images


def asked_by(deciding: Deciding, about: Submission, learnt: Assessment) -> Assessment:
    """What was learnt of the services that a policy asks."""
    services = deciding.asked(about).services
    failures = [each for each in learnt.failures if not each.service or each.service in services]
    return replace(
        learnt,
        answers=tuple(each for each in learnt.answers if each.service in services),
        failure=failures[0] if failures else None,
        later_failures=tuple(failures[1:]),
    )


@pytest.mark.parametrize("privacy", [TOLD, HIDDEN], ids=["told", "hidden"])
def test_what_is_replayed_is_what_the_service_decides(privacy: PrivacySettings) -> None:
    """
    With conditions on libraries, people, logos and context, with overlays, several services, frames and failures.

    Where the verdict leaves something open nothing is said, unless it is blocked anyway. Kinds of the backtest agree.
    """
    replayed, not_replayed = Counter[str](), Counter[str]()
    for current, candidate, images in pairs(range(36)):
        deciding, other, replaying = Deciding(current), Deciding(candidate), Replaying(candidate)
        kinds = Kinds(current, candidate, lambda _: None)
        for image in images:
            about, learnt = submission_of(image), assessment_of(image)
            published = deciding.decide(about, learnt, image.now)
            verdict = orjson.loads(Encoding(group="g", privacy=privacy).verdict(published).value or b"")
            record = recorded(verdict)
            if isinstance(record, NotReplayable):
                not_replayed[record.reason] += 1
                continue
            found = replaying.decide(record)
            expected = other.decide(about, asked_by(other, about, learnt), image.now).decision
            if isinstance(found, Replayed):
                assert found.decision is expected, (image, yaml.safe_dump(candidate.settings.model_dump(mode="json")))
                replayed[expected] += 1
            else:
                not_replayed[found.reason] += 1
            kind = kinds.of(verdict)
            if kind.why_not is None:
                assert isinstance(found, Replayed)
                assert DECISIONS[kind.candidate] is expected

    assert len(replayed) == 3
    assert min(replayed.values()) > 1
    assert {"services", "omitted"} <= not_replayed.keys()
    assert ("context" in not_replayed) is (privacy is HIDDEN) or not_replayed["context"] > 0
