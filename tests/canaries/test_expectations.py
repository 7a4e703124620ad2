"""What a canary's answer says."""

import pytest

from consumer.canaries.expectations import Result, Told, told_by
from consumer.config.safety_nets import CanaryImage
from tests.policy.test_rules import answer

BAD = CanaryImage(name="bad", expect="flagged", url="https://img.example.com/bad.jpg")
GOOD = CanaryImage(name="good", expect="clean", url="https://img.example.com/good.jpg")


@pytest.mark.parametrize(
    ("overall", "labels", "level", "of_bad", "of_good"),
    [
        ("high", [("violent_bloody", 91.0)], "high", "as_expected", "flagged"),
        ("medium", [("violent_bloody", 60.0)], "medium", "as_expected", "flagged"),
        ("low", [("violent_bloody", 20.0)], "low", "missed", "as_expected"),
        ("none", [("nonLabel",)], "none", "missed", "as_expected"),
        # An allowlist of the account's has it: it is let through.
        ("none", [("nonLabel_lib", 100.0)], "none", "missed", "as_expected"),
        # No label explains the overall level.
        ("high", [("nonLabel",)], "high", "as_expected", "flagged"),
        ("critical", [("violent_new", 99.0)], "unknown", "as_expected", "flagged"),
        (None, [("violent_bloody", 91.0)], "unknown", "as_expected", "flagged"),
    ],
)
def test_an_answer_is_compared_with_what_is_known(
    overall: str | None, labels: list[tuple[object, ...]], level: str, of_bad: str, of_good: str
) -> None:
    """
    Medium and high, and what nobody knows, are not let through; low is as none, and so is what the allowlist knows.
    """
    answered = answer(overall, *labels)

    assert (told_by(answered, BAD), told_by(answered, GOOD)) == (
        Told(Result(of_bad), level),
        Told(Result(of_good), level),
    )
