from collections.abc import Mapping
from math import inf, isnan

from aiokafka.errors import KafkaConnectionError

from consumer.config.kafka import KafkaSettings
from consumer.intake.retention import LOOK_INTERVAL, Retention, kept, retention_of
from consumer.kafka.security import KafkaAccess
from tests.rig.clock import ManualClock
from tests.rig.embedded import BrokerProcess

DAY = 86_400.0


class Cluster:
    """Tells how long it keeps uploads, while it answers."""

    def __init__(self) -> None:
        self.kept: Mapping[str, float] = {"uploads": DAY}
        self.away = False
        self.asked = 0

    async def look(self) -> Mapping[str, float]:
        self.asked += 1
        if self.away:
            raise KafkaConnectionError
        return self.kept


async def test_headroom_runs_out_with_the_oldest_message_that_waits() -> None:
    """
    A message of an hour ago may be deleted an hour before one of now. Below 0 it may be gone.
    """
    clock = ManualClock(start=2 * DAY)
    retention = Retention(Cluster().look, clock)

    async with retention.watched():
        await clock.run(clock.sleep(0.0))

        assert retention.headroom("uploads", None) == DAY
        assert retention.headroom("uploads", clock.wall() - 3_600) == DAY - 3_600
        assert retention.headroom("uploads", clock.wall() - DAY - 5) == -5


async def test_headroom_is_no_number_until_the_cluster_has_told_the_retention() -> None:
    """
    Neither alarm nor all-clear: nobody knows.
    """
    retention = Retention(Cluster().look, ManualClock())

    assert isnan(retention.headroom("uploads", None))
    assert isnan(retention.headroom("uploads", 1_000.0))


async def test_retention_is_asked_for_every_minute_and_kept_while_nobody_answers() -> None:
    """
    An operator who raises it sees that within a minute; an outage of Kafka does not hide how long is left.
    """
    clock, cluster = ManualClock(), Cluster()
    retention = Retention(cluster.look, clock)

    async with retention.watched():
        await clock.run(clock.sleep(LOOK_INTERVAL / 2))
        cluster.away = True
        await clock.run(clock.sleep(LOOK_INTERVAL))
        while_away = retention.headroom("uploads", None)
        cluster.away, cluster.kept = False, {"uploads": 2 * DAY}
        await clock.run(clock.sleep(LOOK_INTERVAL))

        assert cluster.asked == 3
        assert while_away == DAY
        assert retention.headroom("uploads", None) == 2 * DAY


def test_what_no_age_deletes_is_kept_for_ever() -> None:
    """
    Kafka writes numbers as texts, and −1 for ever; a topic that is only compacted deletes nothing by age.
    """
    assert kept({"retention.ms": "604800000", "cleanup.policy": "delete"}) == 7 * DAY
    assert kept({"retention.ms": "604800000", "cleanup.policy": "compact,delete"}) == 7 * DAY
    assert kept({"retention.ms": "-1", "cleanup.policy": "delete"}) == inf
    assert kept({"retention.ms": "604800000", "cleanup.policy": "compact"}) == inf


async def test_a_broker_that_cannot_be_asked_tells_nothing() -> None:
    """
    As the embedded one: the service runs on it all the same.
    """
    with BrokerProcess() as broker:
        access = KafkaAccess(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))

        assert await retention_of(access, ["uploads"]) == {}
