"""What is sent, noted, tried again and given up."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from consumer.config.bindings import Binding
from consumer.errors import AccountRefused, CallFailed, InputRefused, ProviderFailed, Unreachable
from consumer.feedback import About, Line, NotSent, Sent
from consumer.feedback.quorum import Quorum
from consumer.feedback.sending import AT_ONCE, Pace, Sending
from consumer.feedback.told import Telling
from consumer.intake.decode.bindings import Bindings
from tests.feedback.building import vote
from tests.rig.clock import ManualClock

BINDING = Binding(bucket="ugc", via="url", url="https://cdn.example.com/{key}?v={version}")


@dataclass
class Told:
    """A provider that answers as it is scripted, and with success after that."""

    clock: ManualClock
    script: list[CallFailed] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    most_at_once: int = 0
    _now: int = 0

    async def tell(self, suggestion: str, scenes: Sequence[str], url: str) -> str | None:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        self.calls.append(self.clock.now())
        await self.clock.sleep(0.2)
        self._now -= 1
        if self.script:
            raise self.script.pop(0)
        return "R"


@dataclass
class Lines:
    """A ledger in memory."""

    lines: list[Line] = field(default_factory=list)

    async def write(self, line: Line) -> None:
        await asyncio.sleep(0)
        self.lines.append(line)


class World:
    """Votes about some submissions, and what is sent of them."""

    def __init__(self, submissions: int = 1, *script: CallFailed, dry_run: bool = False, scene: str = "*") -> None:
        self.clock = ManualClock()
        self.provider = Told(self.clock, list(script))
        self.ledger = Lines()
        self.quorum = Quorum(2, 10_000)
        for offset in range(submissions):
            for reviewer in ("a", "b"):
                self.quorum.take(vote(reviewer, about=About("uploads", 0, offset, "0")))
        self.sending = Sending(
            telling=Telling(Bindings([BINDING]), {"porn": (scene,)}, 2),
            provider=self.provider,
            ledger=self.ledger,
            clock=self.clock,
            pace=Pace(20.0),
            dry_run=dry_run,
        )

    async def turn(self) -> int:
        lines = await self.sending.send([(each, self.quorum.noted(each.about)) for each in self.quorum.due()])
        for line in lines:
            self.quorum.take(line)
        return len(lines)

    async def turns(self, many: int, pause: float = 0.0) -> None:
        for _ in range(many):
            await self.turn()
            await self.clock.sleep(pause)

    def run(self, many: int, pause: float = 0.0) -> None:
        asyncio.run(self.clock.run(self.turns(many, pause)))


def test_sends_once_and_writes_it_down() -> None:
    """What reviewers agree on is sent once; the ledger names URL, scenes, reviewers and the provider's request."""
    world = World()

    world.run(5)

    (line,) = world.ledger.lines
    assert isinstance(line, Sent)
    assert (line.url, line.scenes) == ("https://cdn.example.com/a/b%20c.jpg?v=v1", ("porn",))
    assert (line.reviewers, line.request_id) == (("a", "b"), "R")
    assert len(world.provider.calls) == 1


def test_never_faster_than_the_vendor_allows() -> None:
    """No more than 20 calls leave in any second, and no more are in flight than a kill may repeat."""
    world = World(100)

    world.run(20)

    calls = world.provider.calls
    assert len(calls) == 100
    assert all(later - earlier >= 1.0 - 1e-6 for earlier, later in zip(calls, calls[20:], strict=False))
    assert world.provider.most_at_once <= AT_ONCE


def test_a_provider_that_fails_is_told_later() -> None:
    """An outage and a refused key make feedback wait, longer each time; nothing is given up."""
    world = World(1, ProviderFailed("500"), AccountRefused("596"), ProviderFailed("timeout"))

    world.run(30, pause=1.0)

    assert [type(line) for line in world.ledger.lines] == [Sent]
    first, second, third, fourth = world.provider.calls
    assert second - first >= 1.0
    assert third - second >= 2.0
    assert fourth - third >= 4.0


def test_what_is_refused_for_good_is_not_sent_again() -> None:
    """A refusal of the input is written down with the provider's code, and is the end."""
    world = World(1, InputRefused("400"))

    world.run(5, pause=10.0)

    (line,) = world.ledger.lines
    assert isinstance(line, NotSent)
    assert (line.reason, line.code) == ("refused", "400")
    assert len(world.provider.calls) == 1


def test_an_image_that_cannot_be_fetched_is_tried_some_times() -> None:
    """The provider is told three times of an image that it cannot fetch, and then not any more."""
    world = World(1, *(Unreachable("480") for _ in range(5)))

    world.run(10, pause=30.0)

    assert len(world.provider.calls) == 3
    assert [type(line) for line in world.ledger.lines] == [NotSent]


def test_a_reason_is_noted_once() -> None:
    """What cannot be sent is written down once with its reason, however often it is looked at; nothing is called."""
    world = World(3, scene="spam")

    world.run(5)

    assert [line.reason for line in world.ledger.lines if isinstance(line, NotSent)] == ["no_scene"] * 3
    assert world.provider.calls == []


def test_a_dry_run_calls_nobody_and_writes_nothing() -> None:
    """With `--dry-run` the ledger stays as it is, so that a later run sends what this one has shown."""
    world = World(20, dry_run=True)

    world.run(10)

    assert (world.provider.calls, world.ledger.lines) == ([], [])


async def test_an_unforeseen_error_leaves_nothing_under_way() -> None:
    """
    What was being told beside it is written down before the error is raised: who starts anew would tell it again.
    """
    world = World(3)

    @dataclass
    class Broken(Lines):
        """One that cannot write the first line."""

        failed: bool = False

        async def write(self, line: Line) -> None:
            if not self.failed:
                self.failed = True
                raise KeyError("x")
            await world.clock.sleep(1.0)
            self.lines.append(line)

    world.sending.ledger = world.ledger = Broken()

    with pytest.raises(KeyError):
        await world.clock.run(world.turn())

    assert len(world.provider.calls) == 3
    assert len(world.ledger.lines) == 2
