"""In which runs all safety nets are on, and how it is told what each did."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from bench.chaos.nets import Mode, Nets, seen_in
from bench.chaos.sampling import ProvisionalVerdicts
from consumer.journal.headers import OF_PROVISIONAL, OF_VERDICT
from tests.rig.quick_provider.log import Arrival

REVIEW = TopicPartition("review", 0)


def verdict(version: int, rule: str = "default:none", **members: Any) -> dict[str, Any]:
    return {
        "provisional": False, "decided_by": "policy", "reasons": [{"rule": rule}],
        "policy": {"version": version}, **members,
    }  # fmt: skip


def call(data_id: str) -> Arrival:
    return Arrival(at=0.0, data_id=data_id, image="https://img.example.com/1.jpg", code=200)


def test_runs_with_and_without_nets_take_turns() -> None:
    """Unless it is said otherwise, they are on where the seed is odd."""
    assert [Nets(Mode.ODD).are_on(seed) for seed in (1, 2, 3)] == [True, False, True]
    assert [Nets(Mode.ON).are_on(seed) for seed in (1, 2)] == [True, True]
    assert [Nets().are_on(seed) for seed in (1, 2)] == [False, False]


def test_each_net_is_known_by_what_it_did() -> None:
    """A breaker, a rollout, shadow and a deadline show in verdicts, canaries in calls alone."""
    verdicts = [
        verdict(1),
        verdict(2, rule="rolled-out"),
        verdict(2, rule="rolled-out", decided_by="breaker", decision="review"),
        verdict(2, shadow={"candidate": {"decision": "review"}}),
        verdict(2, provisional=True, reasons=[]),
    ]

    seen = seen_in(verdicts, [call("canary-bad"), call("a-verdict-id")])

    assert seen == {"policies": 2, "rollout": 2, "breaker": 1, "shadow": 1, "provisional": 1, "canaries": 1}


def test_nets_that_had_nothing_to_do_show_nothing() -> None:
    """Each must have acted in one of the runs, and two policies must have taken turns within one."""
    nets = Nets(Mode.ON)
    nets.add(seen_in([verdict(1, shadow={})], []))
    nets.add(seen_in([verdict(2, provisional=True)], [call("canary-bad")]))

    held = {check.what: check.holds for check in nets.checks()}

    assert held == {
        "policies that decided in one run": False,
        "images blocked by a rollout": False,
        "blocks that became reviews": False,
        "verdicts that shadow would have changed": True,
        "provisional verdicts": True,
        "calls about canaries": True,
    }


class Record(NamedTuple):
    """A record with nothing but headers."""

    headers: Sequence[tuple[str, bytes | None]]


FINAL = Record([(OF_VERDICT.offset, b"1"), ("ce_id", b"a")])
PROVISIONAL = Record([(OF_PROVISIONAL.offset, b"1"), ("ce_id", b"b")])


class Consumer:
    """A client of one partition that yields two records at a time."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self._assigned: set[TopicPartition] = set()
        self._next = 0

    def assignment(self) -> set[TopicPartition]:
        return self._assigned

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._assigned = set(partitions)

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self._next = 0

    async def position(self, partition: TopicPartition) -> int:
        return self._next

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        some = self.records[self._next : self._next + 2]
        self._next += len(some)
        return {REVIEW: some}


async def test_provisional_verdicts_are_told_from_outcomes() -> None:
    """They are counted by their headers, each once, however often it is asked."""
    consumer = Consumer([PROVISIONAL, FINAL, FINAL, PROVISIONAL])
    provisional = ProvisionalVerdicts(consumer)

    first = await provisional.before({REVIEW: 4})
    consumer.records += [FINAL, PROVISIONAL]
    again, later = await provisional.before({REVIEW: 4}), await provisional.before({REVIEW: 6})

    assert (first, again, later) == (2, 2, 3)
