import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from math import inf

import pytest

from consumer.dispatch.quota import Due, Quota
from tests.rig.simulation.schedule import FIGURES, Scenario, troubled
from tests.rig.simulation.world import Outcome, run

SCHEDULES = 1_000
ENOUGH_TO_FAIL = 300


class WithoutEnd(Quota):
    """A lease that a successful commit makes last for ever."""

    @property
    def ends(self) -> float:
        return inf if super().ends > 0 else -inf


def without_window(lanes: Mapping[str, Due], *, session_timeout: float, window: float) -> Quota:
    """A share that starts with the assignment."""
    return Quota(lanes, session_timeout=session_timeout, window=0.0)


class WithoutGenerations(Quota):
    """Partitions that come back count as having stayed, whoever had them meanwhile."""

    def assigned(
        self,
        partitions: Iterable[tuple[str, int]],
        counts: Mapping[str, int],
        now: float,
        generation: int | None = None,
    ) -> None:
        self._generation = None if generation is None else generation - 1
        super().assigned(partitions, counts, now, generation)


class WithoutRevocation(Quota):
    """A share that is kept until it is replaced."""

    def revoked(self) -> None:
        pass


def outcomes(
    make_quota: Callable[..., Quota] = Quota, *, checks: bool = True, rebalance_timeout: float | None = None
) -> Iterator[Outcome]:
    """Run one troubled group after the other, for ever."""
    seed = 0
    while True:
        scenario = troubled(random.Random(seed))
        if rebalance_timeout is not None:
            scenario = replace(scenario, rebalance_timeout=rebalance_timeout)
        yield run(scenario, seed, make_quota, checks=checks)
        seed += 1


def test_replicas_in_trouble_never_exceed_the_quota_together() -> None:
    """
    Whoever starts, stops, is killed, frozen or cut off from Kafka, and whenever: no sliding second holds more than Q.
    """
    ran = [outcome for _, outcome in zip(range(SCHEDULES), outcomes(), strict=False)]

    assert [outcome for outcome in ran if outcome.is_over] == []
    assert sum(outcome.calls for outcome in ran) > 100 * SCHEDULES  # they did call


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"make_quota": WithoutEnd}, id="the lease does not end"),
        pytest.param({"make_quota": without_window}, id="the share starts at once"),
        pytest.param({"make_quota": WithoutRevocation}, id="revocation does not end the lease"),
        pytest.param({"make_quota": WithoutGenerations}, id="what comes back counts as having stayed"),
        pytest.param({"checks": False}, id="nobody looks before the bytes go out"),
        pytest.param({"rebalance_timeout": 1.5}, id="the group goes on before a silent replica is evicted"),
    ],
)
def test_without_any_one_rule_they_do(broken: dict[str, object]) -> None:
    """
    The simulation finds a schedule that exceeds the quota as soon as one rule is left out.
    """
    ran = zip(range(ENOUGH_TO_FAIL), outcomes(**broken), strict=False)  # type: ignore[arg-type]

    assert any(outcome.is_over for _, outcome in ran)


@pytest.mark.parametrize("scenario", [each for each in FIGURES if each.name.startswith(("steady", "whole"))])
def test_replicas_that_are_left_alone_use_the_quota(scenario: Scenario) -> None:
    """
    With work for everybody, all of the quota but the jitter is used, however small the shares.
    """
    outcome = run(scenario, seed=1)

    assert not outcome.is_over
    assert outcome.use >= 0.965


def test_a_storm_of_joins_leaves_a_part_of_the_quota() -> None:
    """
    A replica that joins or leaves every three seconds costs a second and the way there, each time, and no more.
    """
    [storm] = [each for each in FIGURES if each.name == "storm, heartbeat 0.3 s"]

    outcome = run(storm, seed=1)

    assert not outcome.is_over
    assert outcome.use >= 0.5
