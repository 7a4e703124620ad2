"""What escapes while a command publishes: callers sort errors by their class, and know no groups."""

import asyncio

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError

from consumer.commands.publishing import NotTaken, ungrouped


async def test_a_broker_that_goes_away_is_an_error_of_kafkas() -> None:
    """
    While something is published, and something else is read: not a group, which would be an unexpected error.
    """
    with pytest.raises(KafkaError), ungrouped():
        async with asyncio.TaskGroup():
            raise KafkaConnectionError("away")


async def test_what_a_topic_refuses_comes_first_and_keeps_its_cause() -> None:
    """
    Whatever else ends with it.
    """
    cause = ValueError("too large")

    async def refused() -> None:
        raise NotTaken("topic: does not take a record") from cause

    async def away() -> None:
        raise KafkaConnectionError("away")

    async def both() -> None:
        with ungrouped():
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(away())
                tasks.create_task(refused())

    with pytest.raises(NotTaken) as raised:
        await both()

    assert raised.value.__cause__ is cause
