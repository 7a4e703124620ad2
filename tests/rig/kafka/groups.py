"""
Looks at a consumer group from outside, as an operator's tool does. Needs a real Kafka.
"""

from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata

from tests.rig.kafka.admin import admin_client


@dataclass(frozen=True, slots=True)
class Group:
    """A consumer group as its coordinator sees it."""

    state: str
    """Empty, PreparingRebalance, CompletingRebalance, Stable or Dead."""
    members: frozenset[str]
    """The ids of its members."""


async def describe(bootstrap_servers: str, group: str) -> Group:
    """The group's state and members; a group that nobody ever joined is Dead and empty."""
    async with admin_client(bootstrap_servers) as admin:
        (response,) = await admin.describe_consumer_groups([group])
    ((_, _, state, _, _, members, *_),) = response.groups
    return Group(state=state, members=frozenset(member[0] for member in members))


async def committed(bootstrap_servers: str, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    """What the group has committed, with the commits' metadata."""
    async with admin_client(bootstrap_servers) as admin:
        offsets: dict[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(group)
        return offsets
