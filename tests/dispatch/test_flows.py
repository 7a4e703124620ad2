"""How the calls of a lane share its slots by topic and tenant, and what images that hang do to the others."""

import asyncio
import contextlib
from collections import Counter, defaultdict
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.flows import Flow, FlowQueue
from consumer.dispatch.hosts import Hosts
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import Unreachable
from consumer.fairness import DEFAULT
from consumer.locations import ByUpload, ByUrl
from consumer.moderation import CallContext, ModerationRequest
from consumer.moderation.paced import Limited
from consumer.moderation.retries import Retrying, RetryPolicy
from consumer.records import ModerationResult, Partition
from tests.moderation.requests import answer, context, request
from tests.rig.clock import ManualClock

SIZE = 64
TAKES = 0.3  # seconds
HANGS = 3.0  # seconds after which the provider gives up fetching an image
POLICY = RetryPolicy(first_delay=0.5, max_delay=5.0, fetch_attempts=3, attempts=5, others_answered=20)


class Provider:
    """Answers after 0.3 s; gives up an image that hangs after three."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.asked: list[str] = []

    async def ask(self, request: ModerationRequest, call: CallContext) -> ModerationResult:
        self.asked.append(request.submission)
        if isinstance(request.location, ByUrl) and "hangs" in request.location.url:
            await self._clock.sleep(HANGS)
            raise Unreachable("405")
        await self._clock.sleep(TAKES)
        return answer()


def of_a_file(name: str, nth: int) -> ModerationRequest:
    """About the nth picture of a file."""
    return replace(request(name), location=ByUpload(name, nth))


class Uploads:
    """Images that are begun in their order, whenever another may be, as the service does."""

    def __init__(self, policy: RetryPolicy = POLICY) -> None:
        self.clock, waits = ManualClock(), InterruptibleWaits()
        self.provider = Provider(self.clock)
        self.slots = ConcurrencyLimit(SIZE)
        limited = Limited(self.provider, self.slots, defaultdict(Hosts), waits)
        self._moderator = Retrying(limited, policy, self.clock, waits)
        self.judged: dict[str, float] = {}

    async def judge(self, images: list[tuple[str, str, str]]) -> None:
        """Judge images; each is its name, its tenant and its host."""
        began = self.clock.now()

        async def one(name: str, tenant: str, host: str) -> None:
            try:
                await self._moderator.ask(request(name, f"https://{host}/{name}"), context(tenant=tenant))
            except Unreachable:
                return
            self.judged[name] = self.clock.now() - began

        under_way = []
        for image in images:
            await self.slots.wait_for_capacity()
            under_way.append(asyncio.ensure_future(one(*image)))
            await asyncio.sleep(0)
        await asyncio.gather(*under_way)


def seconds_of_the_good(images: list[tuple[str, str, str]]) -> tuple[float, float]:
    """After how long the last image was judged that does not hang; with those that hang, and without them."""

    async def seconds(images: list[tuple[str, str, str]]) -> float:
        uploads = Uploads()
        await uploads.clock.run(uploads.judge(images))
        return max(uploads.judged.values())

    good = [image for image in images if "hangs" not in image[2]]
    return asyncio.run(seconds(images)), asyncio.run(seconds(good))


def test_one_tenants_images_that_hang_wait_among_themselves() -> None:
    """
    A fifth of all images hang, and they are of one tenant. The others have half of the slots at the least, once the
    first that hang have ended, and all of them where that tenant has nothing to ask. In the order they came they would
    take over four times as long as alone.
    """
    images = [
        (f"{n}", "slow", "hangs.example") if n % 5 == 0 else (f"{n}", "quick", "img.example.com") for n in range(1_000)
    ]

    with_them, alone = seconds_of_the_good(images)

    assert with_them <= 2 * alone + HANGS


def test_a_host_that_fails_does_not_hold_up_the_others_of_its_tenant() -> None:
    """
    They wait until it is found out, which takes as long as the provider tries, and not for each of its images.
    """
    images = [(f"{n}", "shop", "hangs.example" if n % 5 == 0 else "img.example.com") for n in range(1_000)]

    with_them, alone = seconds_of_the_good(images)

    assert with_them <= 2 * alone + HANGS


async def test_who_comes_anew_has_the_next_slots() -> None:
    """
    However many images that hang a tenant has waiting: another one's first image has the first slot that is given back.
    """
    uploads = Uploads()
    hanging = asyncio.ensure_future(uploads.judge([(f"h{n}", "slow", "hangs.example") for n in range(200)]))
    while uploads.slots.held < 200:
        await asyncio.sleep(0)
    await uploads.clock.run(uploads.clock.sleep(HANGS / 2))

    await uploads.clock.run(uploads.judge([(f"n{n}", "new", "img.example.com") for n in range(20)]))

    assert uploads.judged["n0"] <= HANGS / 2 + TAKES + 1e-9
    assert set(uploads.provider.asked[SIZE : SIZE + 20]) == {f"n{n}" for n in range(20)}
    hanging.cancel()


async def test_who_has_one_image_waits_for_nobodys_backlog() -> None:
    """
    Tenants that hold as many slots take turns, however many tenants there are and whoever came first.
    """
    clock, slots = ManualClock(), ConcurrencyLimit(2)
    provider = Provider(clock)
    moderator = Limited(provider, slots, defaultdict(Hosts), InterruptibleWaits())
    asked = [(f"{tenant}{n}", tenant) for n in range(20) for tenant in "abc"] + [("last", "d")]

    calls = asyncio.gather(*(moderator.ask(request(name), context(tenant=tenant)) for name, tenant in asked))
    await clock.run(calls)

    assert provider.asked.index("last") <= 2 + 3
    assert sorted(provider.asked) == sorted(name for name, _ in asked)


async def test_a_host_fails_for_its_own_topic_only() -> None:
    """
    Producers of another topic may name anybody's host, with paths that are not there.
    """
    clock, slots = ManualClock(), ConcurrencyLimit(64)
    hosts: defaultdict[str, Hosts] = defaultdict(Hosts)
    moderator = Limited(Provider(clock), slots, hosts, InterruptibleWaits())
    theirs, ours = Partition("theirs", 0), Partition("ours", 0)
    asked = [(theirs, "https://hangs.example/1.jpg")] * 20 + [(theirs, "https://img.example.com/1.jpg")]
    asked += [(ours, f"https://{host}/1.jpg") for host in ("img.example.com", "other.example")]

    async def ask(partition: Partition, url: str) -> None:
        with contextlib.suppress(Unreachable):
            await moderator.ask(request("image", url), CallContext(partition=partition))

    await clock.run(asyncio.gather(*(ask(*each) for each in asked)))

    assert hosts["theirs"].fails("hangs.example")
    assert (hosts["ours"].failing, hosts["theirs"].failing) == (0, 1)
    assert not hosts["ours"].fails("hangs.example")


async def test_an_image_that_is_tried_again_counts_once() -> None:
    """
    Or four that are not there, tried three times each, would make a host fail.
    """
    clock, hosts = ManualClock(), defaultdict[str, Hosts](Hosts)
    waits = InterruptibleWaits()
    limited = Limited(Provider(clock), ConcurrencyLimit(64), hosts, waits)
    moderator = Retrying(limited, POLICY, clock, waits)

    async def ask(url: str) -> None:
        with contextlib.suppress(Unreachable):
            await moderator.ask(request("image", url), context())

    urls = [f"https://hangs.example/{n}.jpg" for n in range(10)] + ["https://img.example.com/1.jpg"]
    await clock.run(asyncio.gather(*map(ask, urls)))
    before = hosts["uploads"].failing
    await clock.run(ask("https://hangs.example/eleventh.jpg"))

    assert (before, hosts["uploads"].failing) == (0, 1)


async def test_a_topic_has_its_slots_however_many_tenants_another_names() -> None:
    """
    A producer can claim any tenant that it may; its topic's share does not grow by that.
    """
    clock, slots = ManualClock(), ConcurrencyLimit(4)
    provider = Provider(clock)
    moderator = Limited(provider, slots, defaultdict(Hosts), InterruptibleWaits())
    many, honest = Partition("many", 0), Partition("honest", 0)
    asked = [(f"m{n}", CallContext(partition=many, tenant=f"t{n}")) for n in range(40)]
    asked += [(f"h{n}", CallContext(partition=honest, tenant="shop")) for n in range(8)]

    calls = asyncio.gather(*(moderator.ask(request(name), call) for name, call in asked))
    await clock.run(clock.sleep(TAKES * 5 - 0.1))

    assert sum(name.startswith("h") for name in provider.asked) == 8
    await clock.run(calls)


async def test_what_has_cost_something_is_next() -> None:
    """
    An image of which one answer is paid for would be paid for again after a crash.
    """
    clock, slots = ManualClock(), ConcurrencyLimit(1)
    provider = Provider(clock)
    moderator = Limited(provider, slots, defaultdict(Hosts), InterruptibleWaits())
    asked = [("first", "a", False), ("second", "b", False), ("paid", "a", True)]

    await clock.run(
        asyncio.gather(*(moderator.ask(request(name), context(tenant=of, paid=paid)) for name, of, paid in asked))
    )

    assert provider.asked == ["first", "paid", "second"]


async def test_one_tenants_animations_do_not_starve_the_others() -> None:
    """
    Their frames go before new images of theirs, not before everybody's: others' images have half of the slots.
    """
    clock, slots = ManualClock(), ConcurrencyLimit(16)
    provider = Provider(clock)
    moderator = Limited(provider, slots, defaultdict(Hosts), InterruptibleWaits())

    async def animation(name: str) -> None:
        await moderator.ask(of_a_file(name, 0), context(tenant="films"))
        at_once = asyncio.Semaphore(8)

        async def frame(nth: int) -> None:
            async with at_once:
                await moderator.ask(of_a_file(name, nth), context(tenant="films", paid=True))

        await asyncio.gather(*(frame(nth) for nth in range(1, 64)))

    animations = asyncio.gather(*(animation(f"film-{n}") for n in range(40)))
    await clock.run(clock.sleep(TAKES * 3))
    began = clock.now()
    photographs = asyncio.gather(*(moderator.ask(request(f"{n}"), context(tenant="shop")) for n in range(16)))
    await clock.run(photographs)
    took = clock.now() - began
    await clock.run(animations)

    assert took <= TAKES * 4
    begun = list(dict.fromkeys(name for name in provider.asked if name.startswith("film")))
    ended = {name: len(provider.asked) - provider.asked[::-1].index(name) for name in begun}
    under_way = [sum(ended[each] > provider.asked.index(name) for each in begun[:at]) for at, name in enumerate(begun)]
    assert max(under_way) <= 16 + 8  # images of which something is paid: a slot that is free for a moment begins one


async def test_whoever_is_cancelled_leaves_no_slot_behind() -> None:
    """
    While it waits, and while it holds one; and where a slot is given back in between.
    """
    clock, slots = ManualClock(), ConcurrencyLimit(1)
    moderator = Limited(Provider(clock), slots, defaultdict(Hosts), InterruptibleWaits())
    holds, given, waits = (asyncio.ensure_future(moderator.ask(request(name), context())) for name in "abc")
    await asyncio.sleep(0)

    given.cancel()
    holds.cancel()  # its slot goes to one that is cancelled already, or to the one behind it
    waits.cancel()
    await asyncio.wait([holds, given, waits])

    assert slots.held == 0
    assert slots.has_capacity()


async def test_a_slot_that_is_given_to_one_that_is_cancelled_is_not_lost() -> None:
    """
    It was given in the same moment, and whoever waits behind has it.
    """
    slots, flow = ConcurrencyLimit(1), Flow("uploads", "shop")

    async def call() -> None:
        async with slots.slot(DEFAULT, flow):
            pass

    async with slots.slot(DEFAULT, flow):
        given, behind = asyncio.create_task(call()), asyncio.create_task(call())
        await asyncio.sleep(0)
    given.cancel()  # it has its slot, and has not run yet
    await asyncio.wait([given, behind])

    assert (given.cancelled(), behind.cancelled(), slots.held) == (True, False, 0)


MOVE = st.sampled_from(["ask", "paid", "frame", "leave", "give up"])
MOVES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), MOVE))


@given(size=st.integers(1, 8), moves=MOVES)
def test_slots_are_shared_evenly(size: int, moves: list[tuple[int, int, str]]) -> None:
    """
    Whatever calls come and go: a slot goes to a call that is paid for, or else to a topic that holds no more than any
    other that waits, and there to such a tenant, of it to a later frame; and nothing is remembered of a flow without
    calls.
    """
    queue: FlowQueue[int] = FlowQueue()
    waiting: dict[int, tuple[Flow, str]] = {}
    held: list[Flow] = []
    for number, (topic, tenant, move) in enumerate(moves):
        flow = Flow(str(topic), str(tenant))
        if move == "leave" and flow in held:
            held.remove(flow)
            queue.give_back(flow)
        elif move == "give up" and waiting:
            last, (of, _) = waiting.popitem()
            assert queue.give_up(last, of)
            assert not queue.give_up(last, of)
        elif move in ("ask", "paid", "frame"):
            queue.wait(number, flow, first=move == "paid", ahead=move == "frame")
            waiting[number] = flow, move
        if waiting and len(held) < size:
            by_topic, by_flow = Counter(each.topic for each in held), Counter(held)
            given_to, what = waiting[caller := queue.next()]
            paid_for = [each for each, (_, each_is) in waiting.items() if each_is == "paid"]
            if what == "paid":
                assert caller == min(paid_for)
            else:
                flows = {each for each, _ in waiting.values()}
                mates = {each for each in flows if each.topic == given_to.topic}
                assert not paid_for
                assert by_topic[given_to.topic] == min(by_topic[each.topic] for each in flows)
                assert by_flow[given_to] == min(by_flow[each] for each in mates)
                line = {each: each_is for each, (flow, each_is) in waiting.items() if flow == given_to}
                assert caller == min(line, key=lambda each: (line[each] != "frame", each))
            del waiting[caller]
            held.append(given_to)
        assert queue.waiting == len(waiting)
        assert queue.flows == len(set(held))
