"""A member of the group, put together as the service does it."""

from collections.abc import Mapping
from typing import Any

from consumer.clock import Clock
from consumer.config.kafka import JournalSettings, KafkaSettings
from consumer.intake import Lease
from consumer.intake.admission import Admission
from consumer.intake.ownership import Ownership
from consumer.intake.partitions import Partitions
from consumer.intake.readback import ReadBack
from consumer.intake.source import KafkaSource
from consumer.journal.commits import Commits
from consumer.journal.journal import Journal
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess

NO_KEYS = Keyring({})


def kafka_source(
    settings: KafkaSettings,
    access: KafkaAccess,
    admission: Admission,
    lane_by_topic: Mapping[str, str],
    journal: Journal,
    outputs: Any,
    limits: JournalSettings,
    lease: Lease,
    owner: str,
    clock: Clock,
    keyring: Keyring = NO_KEYS,
) -> KafkaSource:
    """`outputs` are read as `OutputReader` reads them."""
    commits = Commits(settings.group_id, owner, keyring, unsigned_until=0.0, now=clock.wall)
    most = limits.max_outcomes_per_partition
    partitions = Partitions(Ownership(settings.session_timeout), journal, admission, lane_by_topic, most, clock)
    return KafkaSource(settings, access, partitions, ReadBack(outputs, journal, limits, clock), lease, commits, clock)
