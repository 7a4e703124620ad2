"""
What a backtest says does not depend on the order in which records are read: topics, files and columns have their own.
"""

from typing import Any

from consumer.policy.backtest.gates import Gates
from consumer.policy.backtest.result import result_of
from tests.policy.backtest.test_counts import counted, policy, verdicts
from tests.rig.verdicts import uploads

RULES = [
    {"id": "smoking", "match": {"label": ["inappropriate_*"]}, "then": "review"},
    {"id": "flags", "match": {"label": ["political_*"]}, "then": "review"},
    {"id": "skin", "match": {"label": ["sexual_*", "pornographic_*"]}, "then": "review"},
]
CANDIDATE = policy({"rules": RULES, "unseen_frames": "review"}, 2)


def said(found: list[Any]) -> dict[str, Any]:
    """The result, without where records stood."""
    result = result_of(counted(found, CANDIDATE), [range(256)], Gates(), None, {})
    for stratum in result["samples"]:
        for image in stratum["images"]:
            del image["at"]
    return result


def test_records_in_another_order_come_to_the_same() -> None:
    """
    Also where findings of several rules decide, whose order in a record is by chance.
    """
    found = verdicts(uploads(3_000))

    assert said(found) == said(found[::-1])
    assert any(len(stratum["images"]) > 1 for stratum in said(found)["samples"])
