"""
Plays made-up policies and images to the service's own code, and compares with the oracle.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from consumer.alibaba.image_moderation import read_answer
from consumer.commands.policy import linting
from consumer.errors import Misconfigured
from consumer.intake.decode import Bindings, decode
from consumer.locations import ByUrl
from consumer.moderation import ModerationRequest
from consumer.policy.decide import Deciding
from consumer.policy.schema import load_policy
from consumer.records import Assessment, Coverage, Failure, Ignored, ModerationResult, Submission
from tests.rig.events import delivery
from tests.rig.policy_cases import oracle
from tests.rig.policy_cases.cases import Case, Image, case

BINDINGS = Bindings([], ["ugc"])


@dataclass(slots=True)
class Report:
    """What was played, and what is different from what must come."""

    policies: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by code
    decisions: Counter[str] = field(default_factory=Counter)
    floors: int = 0
    trials: int = 0
    by_rules: int = 0  # decisions that a rule made
    problems: list[str] = field(default_factory=list)

    @property
    def images(self) -> int:
        """How many were decided about."""
        return self.decisions.total()


def play(seed: int, numbers: Iterable[int], images: int, folder: Path, broken: float = 0.3) -> Report:
    """Play cases of a seed. `folder` is written to."""
    report, file = Report(), folder / "policy.yaml"
    for number in numbers:
        made = case(seed, number, images, broken)
        report.policies += 1
        report.problems += [f"case {number}: {each}" for each in _played(made, file, report)]
    return report


def _played(made: Case, file: Path, report: Report) -> Iterator[str]:
    file.write_text(made.policy)
    tree = oracle.read(made.policy)
    expected = oracle.broken(tree)
    found = {each.code for each in linting.lint(file) if each.kind == "broken"}
    try:
        policy = load_policy(file)
    except Misconfigured as error:
        report.refused.update(found)
        if not expected:
            yield f"is refused: {'; '.join(error.problems)}"
        # What values are wrong hides what settings contradict each other in: then not all codes are told.
        elif not found or not found <= expected:
            yield f"is refused for {found}, not for {expected}"
        return
    if expected or found:
        yield f"is not refused, for {expected}; lint says {found}"
        return
    deciding = Deciding(policy)
    for image in made.images:
        yield from _decided(tree, image, deciding, report)


def _decided(tree: oracle.Tree, image: Image, deciding: Deciding, report: Report) -> Iterator[str]:
    expected = oracle.expected(tree, image)
    about, assessment = submission_of(image), assessment_of(image)
    asked = deciding.asked(about)
    verdict = deciding.decide(about, assessment, image.now)
    reasons = frozenset(reason.rule for reason in verdict.reasons)
    report.decisions[verdict.decision.value] += 1
    report.floors += verdict.floor is not None
    report.trials += verdict.trial is not None
    report.by_rules += any(":" not in reason for reason in reasons)
    got = (
        asked.services, asked.info, verdict.decision.value, reasons,
        verdict.floor and (verdict.floor.rule, verdict.floor.decision.value),
        (verdict.trial or verdict).decision.value,
    )  # fmt: skip
    if got != expected[:-1]:
        yield f"{image}: expected {expected[:-1]}, got {got}"
    if verdict.info != asked.info:
        yield f"{image}: says that {verdict.info} was asked for, not {asked.info}"
    trial = verdict.trial
    if trial is not None and (not trial.rules or not set(trial.rules) <= expected.held):
        yield f"{image}: names {trial.rules}, and {set(expected.held)} do not count"


def submission_of(image: Image) -> Submission:
    decoded = decode(delivery(image.event.encode()), BINDINGS, "group")
    assert not isinstance(decoded, Ignored)
    [submission] = decoded
    return submission


def assessment_of(image: Image) -> Assessment:
    failures = [Failure(kind=kind, code="c") for kind in image.failures]
    return Assessment(
        answers=tuple(_answer(*each) for each in image.answers),
        failure=failures[0] if failures else None,
        later_failures=tuple(failures[1:]),
        sha256=image.sha256,
        coverage=Coverage(seen=image.coverage[0], frames=image.coverage[1], scaled=image.coverage[2])
        if image.coverage
        else None,
    )


def _answer(service: str, frame: int | None, body: str) -> ModerationResult:
    request = ModerationRequest(submission="s", location=ByUrl(""), service=service)
    return read_answer(200, {}, body.encode(), request)._replace(frame=frame)
