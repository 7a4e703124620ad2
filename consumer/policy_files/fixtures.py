"""
A policy's tests: answers in the provider's own JSON, and what the policy must make of them.

    - name: swimwear in the swim shop passes
      event: {tenant: swim-shop}
      answer: {RiskLevel: high, Result: [{Label: sexual_femaleUnderwear, Confidence: 91}]}
      decision: pass
      rules: [swimwear]
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple, Self

import orjson
from pydantic import Field, model_validator

from consumer.alibaba.image_moderation import read_answer
from consumer.config.base import Contradictions, Settings
from consumer.config.loading import validated
from consumer.config.origins import Origins
from consumer.config.yaml_file import YamlFile, read_yaml_list
from consumer.errors import CallFailed, Misconfigured
from consumer.locations import ByUrl, Image
from consumer.moderation import ModerationRequest
from consumer.policy.decide import Deciding
from consumer.policy.language import Outcome, Rule
from consumer.policy.schema import OnError, Policy, load_policy
from consumer.records import (
    Assessment,
    Coverage,
    Delivery,
    Failure,
    ModerationResult,
    Subject,
    Submission,
    Trial,
    Verdict,
    source_id,
)

_FAILURES = tuple(OnError.model_fields)


class FixtureEvent(Settings):
    """What the event says."""

    tenant: str = ""
    purpose: str = ""
    context: dict[str, Any] = Field({}, repr=False, description="What rules look at.")


class FixtureShadow(Settings):
    """What would have been decided with every rule that does not count yet."""

    decision: Outcome
    rules: tuple[str, ...] | None = Field(None, description="Those of them that must make the difference.")


class Fixture(Settings):
    """One test."""

    name: str = Field(min_length=1)
    event: FixtureEvent = FixtureEvent()
    answer: dict[str, Any] | None = Field(None, description="The provider's `Data`: of the first service asked.")
    answers: dict[str, dict[str, Any]] = Field({}, description="The provider's `Data` by service.")
    failure: str | None = Field(None, description="An `error.class`: why a service could not answer.")
    frames: tuple[int, int | None] | None = Field(None, description="Frames looked at, and frames that there are.")
    on: date | None = Field(None, description="The day on which it is decided. Without it, today.")
    decision: Outcome
    rules: tuple[str, ...] | None = Field(None, description="The rules that must have decided, in any order.")
    shadow: FixtureShadow | None = Field(None, description="The same, did rules in shadow and in a rollout count.")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if not (self.answer or self.answers or self.failure):
            raise Contradictions(("answer", "is missing, and so is answers and failure: name one"))
        if self.answer and self.answers:
            raise Contradictions(("answers", "stands beside answer: name one of the two", "answer"))
        if self.failure is not None and self.failure not in _FAILURES:
            raise Contradictions(("failure", f"must be one of {', '.join(_FAILURES)}"))
        return self


class Fixtures(Settings):
    """All tests of a policy."""

    tests: tuple[Fixture, ...]


class Ended(NamedTuple):
    """What became of one test: each difference in words; none where it passed."""

    name: str
    place: str
    differences: tuple[str, ...]
    has_expired: bool = False  # whether it would pass, had no rule come to its end

    @property
    def passed(self) -> bool:
        """Whether the policy decides as the test says."""
        return not self.differences


def tests_beside(policy: Path, named: Path | None) -> Path | None:
    """The file of a policy's tests: the one that is named, else the one beside it if there is one."""
    beside = policy.with_name(f"{policy.stem}.tests.yaml")
    return named or (beside if beside.is_file() else None)


def read_fixtures(path: Path) -> Sequence[Fixture]:
    """
    Read tests.

    Raises:
        Misconfigured: with every problem.
    """
    return fixtures_in(read_yaml_list(path, "tests"))


def fixtures_in(file: YamlFile) -> Sequence[Fixture]:
    """
    Take tests from a file that was read.

    Raises:
        Misconfigured: with every problem.
    """
    return validated(Fixtures, file.tree, Origins(file)).tests


def run(policy_file: Path, tests: Path | None) -> list[Ended]:
    """
    Run a policy's tests.

    Raises:
        Misconfigured: a file cannot be read, or there are no tests.
    """
    path = tests_beside(policy_file, tests)
    if path is None:
        beside = policy_file.with_name(f"{policy_file.stem}.tests.yaml")
        raise Misconfigured([f"{beside}: does not exist; name the tests with --tests"])
    policy, file = load_policy(policy_file), read_yaml_list(path, "tests")
    return ended_by(policy, fixtures_in(file), file, datetime.now(UTC).date())


def ended_by(policy: Policy, fixtures: Sequence[Fixture], file: YamlFile, today: date) -> list[Ended]:
    """Decide about the answers of tests, which stand in `file`, and compare."""
    return [_ended(policy, each, file.place(("tests", str(nth))), today) for nth, each in enumerate(fixtures)]


def _ended(policy: Policy, fixture: Fixture, place: str, today: date) -> Ended:
    differences = tuple(_differences(policy, fixture, today))
    has_expired = bool(differences) and fixture.on is None and not any(_differences(_unending(policy), fixture, today))
    return Ended(fixture.name, place, differences, has_expired)


def _differences(policy: Policy, fixture: Fixture, today: date) -> Iterator[str]:
    try:
        verdict = decided(policy, fixture, today)
    except CallFailed as error:
        yield f"the answer is not one that the service accepts: {error.kind} {error.code}"
        return
    reached = list(dict.fromkeys(reason.rule for reason in verdict.reasons))
    if verdict.decision != fixture.decision:
        by = ", ".join(reached) or f"on_error.{fixture.failure}"
        yield f"decision: expected {fixture.decision}, got {verdict.decision.value} (by {by})"
    if fixture.rules is not None and set(fixture.rules) != set(reached):
        yield f"rules: expected {_listed(fixture.rules)}, got {_listed(reached)}"
    if fixture.shadow is not None:
        yield from _shadow_differences(fixture.shadow, verdict.trial or Trial(verdict.decision, ()))


def _shadow_differences(expected: FixtureShadow, got: Trial) -> Iterator[str]:
    if got.decision != expected.decision:
        yield f"shadow.decision: expected {expected.decision}, got {got.decision.value} (by {_listed(got.rules)})"
    if expected.rules is not None and set(expected.rules) != set(got.rules):
        yield f"shadow.rules: expected {_listed(expected.rules)}, got {_listed(got.rules)}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def decided(policy: Policy, fixture: Fixture, today: date | None = None) -> Verdict:
    """
    Decide about a test's answers, as the service would today about an image that no rule is rolled out to.

    Raises:
        CallFailed: the service would not accept an answer.
    """
    deciding, about = Deciding(_not_rolled_out(policy)), _submission(fixture.event)
    given = {deciding.asked(about).services[0]: fixture.answer} if fixture.answer else fixture.answers
    failure = Failure(kind=fixture.failure, code=fixture.failure) if fixture.failure else None
    seen, frames = fixture.frames or (1, None)
    assessment = Assessment(
        answers=tuple(_answer(service, data) for service, data in given.items()),
        failure=failure,
        coverage=Coverage(seen=seen, frames=frames),
    )
    day = fixture.on or today or datetime.now(UTC).date()
    return deciding.decide(about, assessment, datetime.combine(day, time(), UTC).timestamp())


def _not_rolled_out(policy: Policy) -> Policy:
    """A policy whose rollouts have not begun: which images are in one is for hashes to say, and not for a test."""

    def held(rule: Rule) -> Rule:
        return rule if rule.share in (0, 1) else rule.model_copy(update={"rollout": 0.0})

    return _with_rules(policy, held)


def _unending(policy: Policy) -> Policy:
    """A policy whose rules never come to their end."""

    def lasting(rule: Rule) -> Rule:
        return rule if rule.why is None else rule.model_copy(update={"why": None})

    return _with_rules(policy, lasting)


def _with_rules(policy: Policy, changed: Callable[[Rule], Rule]) -> Policy:
    settings = policy.settings
    overlays = tuple(each.model_copy(update={"rules": tuple(map(changed, each.rules))}) for each in settings.overlays)
    laid = settings.model_copy(update={"rules": tuple(map(changed, settings.rules)), "overlays": overlays})
    return policy.model_copy(update={"settings": laid})


def _answer(service: str, data: dict[str, Any]) -> ModerationResult:
    body = orjson.dumps({"Code": 200, "Msg": "OK", "RequestId": "test", "Data": data})
    return read_answer(200, {}, body, ModerationRequest(submission="test", location=ByUrl(""), service=service))


def _submission(event: FixtureEvent) -> Submission:
    delivery = Delivery(topic="", partition=0, offset=0, timestamp=0.0, key=None, value=None, headers=(), received=0.0)
    return Submission(
        id=source_id("", delivery, "", "0"), delivery=delivery, event_id="", event_time="", tenant=event.tenant,
        purpose=event.purpose, subject=Subject(id="", type="", revision=None), image=Image(id="0"), of=1,
        location=ByUrl(""), context=orjson.dumps(event.context),
    )  # fmt: skip
