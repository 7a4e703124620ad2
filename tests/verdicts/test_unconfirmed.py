import asyncio
from collections.abc import Collection

from aiokafka.errors import KafkaConnectionError

from consumer.records import SourceId
from consumer.verdicts.unconfirmed import UnconfirmedPublishes
from tests.rig.clock import ManualClock


class Outputs:
    """Topics in which some outcomes stand; reading takes a second, and fails while the brokers are away."""

    def __init__(self, clock: ManualClock, written: set[SourceId]) -> None:
        self.clock = clock
        self.written = written
        self.away = 0
        self.readings: list[tuple[set[SourceId], float]] = []

    async def find(self, wanted: Collection[SourceId], since: float) -> Collection[SourceId]:
        self.readings.append((set(wanted), since))
        await self.clock.sleep(1.0)
        if self.away:
            self.away -= 1
            raise KafkaConnectionError
        return set(wanted) & self.written


A, B, C = SourceId("a"), SourceId("b"), SourceId("c")


async def test_those_who_doubt_at_once_are_answered_by_one_reading() -> None:
    """
    The first one looks; who comes meanwhile is answered by the second reading, together with the others.
    """
    clock = ManualClock()
    outputs = Outputs(clock, {A, C})
    doubts = UnconfirmedPublishes(outputs.find, clock)

    answers = await clock.run(
        asyncio.gather(doubts.is_published(A, 50.0), doubts.is_published(B, 40.0), doubts.is_published(C, 45.0))
    )

    assert tuple(answers) == (True, False, True)
    assert outputs.readings == [({A}, 50.0), ({B, C}, 40.0)]


async def test_while_no_broker_answers_nobody_is_told_anything() -> None:
    """
    Not knowing is no answer: the outcome may be there.
    """
    clock = ManualClock()
    outputs = Outputs(clock, {A})
    outputs.away = 3

    assert await clock.run(UnconfirmedPublishes(outputs.find, clock).is_published(A, 50.0))
    assert len(outputs.readings) == 4


async def test_two_may_doubt_the_same_outcome() -> None:
    """
    A message that was begun anew may be published while its first publish is still in doubt: both are answered.
    """
    clock = ManualClock()
    doubts = UnconfirmedPublishes(Outputs(clock, {A}).find, clock)

    answers = await clock.run(asyncio.gather(*(doubts.is_published(A, since) for since in (50.0, 40.0, 45.0))))

    assert answers == [True] * 3


async def test_one_who_gives_up_looking_leaves_the_others_an_answer() -> None:
    """
    Whoever comes next looks for all that were asked about.
    """
    clock = ManualClock()
    doubts = UnconfirmedPublishes(Outputs(clock, {A, B}).find, clock)
    first, second, third = (asyncio.ensure_future(doubts.is_published(each, 50.0)) for each in (C, A, B))
    await clock.run(first)
    await asyncio.sleep(0)  # the second one looks, for the third one too

    second.cancel()

    assert await clock.run(third)
    assert second.cancelled()
