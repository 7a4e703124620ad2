import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import pytest

from consumer.dispatch.concurrency import ConcurrencyLimit
from consumer.dispatch.gate import Gate
from consumer.dispatch.hosts import Hosts
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.waits import InterruptibleWaits
from consumer.errors import ProviderFailed
from consumer.moderation import Layer, stacked
from consumer.moderation.breaker import BreakerLimits
from consumer.moderation.paced import Limited, Paced
from consumer.moderation.regions import Asked, Guarded, Region, Regions
from consumer.moderation.retries import Retrying, RetryPolicy
from tests.moderation.requests import GivenShares, ScriptedModerator, context, request
from tests.rig.clock import ManualClock

QUOTA, AT_ONCE, IMAGES = 10, 3, 60


@pytest.mark.parametrize(
    "order", [("limited", "paced", "guarded"), ("paced", "limited", "guarded"), ("paced", "guarded", "limited")]
)
async def test_layers_may_be_swapped_where_their_meaning_allows_it(order: Sequence[str]) -> None:
    """
    Whatever the order: through an outage that opens the breaker every image is answered once, no second holds more
    calls than the quota, and no more are under way than are allowed.
    """
    clock = ManualClock()
    provider = ScriptedModerator(clock, [lambda: ProviderFailed("500")] * 15, latency=0.2)
    pace, waits, answered = Pace(0, jitter=0.0, burst=0.0), InterruptibleWaits(), set[Asked]()
    gate = Gate(pace, GivenShares({"default": QUOTA}), clock, waits)
    slots, hosts = ConcurrencyLimit(AT_ONCE), defaultdict[str, Hosts](Hosts)
    layers: dict[str, Layer] = {
        "limited": lambda inner: Limited(inner, slots, hosts, waits),
        "paced": lambda inner: Paced(inner, gate, pace, InFlight(clock), lambda *_: True, clock),
        "guarded": lambda inner: Guarded(inner, "first", answered, clock),
    }
    region = Region("first", stacked(provider, [layers[name] for name in order]), BreakerLimits(full=AT_ONCE))
    policy = RetryPolicy(first_delay=0.5, max_delay=5.0, fetch_attempts=3, attempts=5, others_answered=20)
    retrying = Retrying(Regions([region], clock, waits), policy, clock, waits)

    results = await clock.run(asyncio.gather(*(retrying.ask(request(str(n)), context()) for n in range(IMAGES))))

    assert len(results) == IMAGES
    assert len(provider.asked) == IMAGES + 15
    assert provider.most_in_flight <= AT_ONCE
    assert all(
        later - earlier >= 1 - 1e-9
        for earlier, later in zip(provider.asked_at, provider.asked_at[QUOTA:], strict=False)
    )
    assert max(later - earlier for earlier, later in pairwise(provider.asked_at)) >= 0.9  # the breaker was open
