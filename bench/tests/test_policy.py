"""What the bench of the decision decides about."""

from itertools import islice

from bench.policy import FINDINGS, LISTED, NOW, OVERLAYS, RULES, Part, measure, met_before, never_met, policy
from consumer.hits import NOTHING_MET
from consumer.policy.decide import findings_of
from consumer.policy.effective import Policies
from consumer.policy.ready import Circumstances


def test_there_are_as_many_rules_as_it_says_and_they_decide() -> None:
    """
    Rules are about what is found, or nothing would be measured: one of each image's findings and more, on the average.
    """
    settings = policy()
    effective = Policies(settings).of("tenant-3", "")
    image = Circumstances(NOW, str, dict)
    routing = effective.at(NOW)
    found = [
        finding
        for assessment in islice(met_before(), len(LISTED))
        for answer in assessment.answers
        for finding in findings_of(answer)
    ]
    rules = [routing.route(finding, NOTHING_MET, image).rule for finding in found]
    by_rule = [rule for rule in rules if not rule.startswith(("default:", "strict"))]

    assert (len(settings.rules), len(settings.overlays), len(effective.rules)) == (RULES, OVERLAYS, RULES + 1)
    assert len(found) == FINDINGS * len(LISTED)
    assert len(by_rule) >= len(LISTED)


def test_a_label_that_was_never_met_comes_once() -> None:
    """
    Else its rules would be remembered.
    """
    images = list(islice(never_met(), 200))
    labels = [label.name for image in images for answer in image.answers for label in answer.labels]

    assert len(labels) == len(set(labels)) == FINDINGS * 200


def test_each_part_has_a_figure_for_each_round() -> None:
    """
    Microseconds, without the round that is not counted.
    """
    [met, never] = measure([Part("met", met_before(), 10.0), Part("never", never_met(), 60.0)], images=50, rounds=3)

    assert (len(met), len(never)) == (3, 3)
    assert all(0 < cost < 10_000 for cost in (*met, *never))
