"""
The layers around the provider's client, in their order. See `moderation/`.

    OrUploaded ─► Retrying ─► InTurn ─► Placed ─► Limited ─► Regions
        of each region: Uploaded ─► TakenOver ─► Paced ─► CopiesKept ─► Guarded ─► span ─► the client

`InTurn`, `Uploaded`, `CopiesKept`, and `OrUploaded` around all of them, stand there only where a binding uploads;
`Placed` and `TakenOver` only where answers are results of tasks.
Images that are no uploads go another way to each region, `moderation/apart.py`, which shares gate, slots and client.
"""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import httpx

from consumer.alibaba.apis import api_of, images_together
from consumer.alibaba.empty_call import EmptyCall
from consumer.alibaba.scan.asynchronous import ScanRegion
from consumer.alibaba.scan.batched import Together
from consumer.alibaba.scan.empty_call import EmptyScan
from consumer.alibaba.scan.open_scans import OpenScans, WrittenTasks
from consumer.alibaba.scan.tasks import Asking
from consumer.alibaba.uploads import UploadStore
from consumer.clock import Clock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.dispatch.concurrency import PLACES_OF_TASKS, SLOTS_OF_FETCHES, SLOTS_OF_WORKERS, ConcurrencyLimit
from consumer.dispatch.gate import Gate
from consumer.dispatch.hosts import Hosts
from consumer.dispatch.in_flight import InFlight
from consumer.dispatch.pace import Pace
from consumer.dispatch.quota import Shares
from consumer.dispatch.startable import Startable
from consumer.dispatch.waits import InterruptibleWaits
from consumer.holding import Holding
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import Ways, open_transport
from consumer.image_sources import open_sources, open_workers, wanted_of
from consumer.images.held import OF_CONNECTIONS, BytesHeld
from consumer.images.preparing.workers import Preparing
from consumer.keys import Keys
from consumer.moderation import Layer, Moderator, stacked
from consumer.moderation.apart import Apart
from consumer.moderation.breaker import BreakerLimits
from consumer.moderation.fetching import Fetching, ImageFetcher, InTurn
from consumer.moderation.origins import OriginLookup, Origins
from consumer.moderation.paced import Limited, Paced
from consumer.moderation.regions import Asked, Guarded, Region, Regions
from consumer.moderation.retries import Retrying, RetryPolicy
from consumer.moderation.tasks import Placed
from consumer.moderation.uploaded import CopiesKept, OrUploaded, Uploaded
from consumer.observability import metrics
from consumer.records import Partition
from consumer.tracing import Tracing


class Provider(NamedTuple):
    """The provider as the service sees it. See `service.Calls`."""

    moderator: Moderator
    wait_for_capacity: Callable[[Collection[str]], Awaitable[None]]
    """Returns when another message of one of these lanes may begin."""
    has_capacity: Callable[[str], bool]
    """Whether another message of this lane may begin."""
    give_up_waiting: Callable[[], None]
    """Cancels requests that wait for a provider that is away."""
    reasons_not_ready: Callable[[], list[str]]
    apart: Mapping[str, Apart] = MappingProxyType({})
    """By region: asks it about images that are no uploads."""
    open_scans: OpenScans | None = None
    """What reads the results of tasks, where there are any."""


def while_held(provider: Provider, holding: Holding, held: InterruptibleWaits) -> Provider:
    """The provider for which nothing begins while every image meets an unexpected error; a stop waits for none held."""

    def give_up_waiting() -> None:
        held.close()
        provider.give_up_waiting()

    return provider._replace(
        wait_for_capacity=holding.wait_for_capacity(provider.wait_for_capacity),
        has_capacity=holding.has_capacity(provider.has_capacity),
        give_up_waiting=give_up_waiting,
    )


class Uploads(NamedTuple):
    """What images are fetched and uploaded with."""

    sources: ImageFetcher
    exchanges: Exchanges
    reasons_not_ready: Callable[[], list[str]]
    """Names the stores that refuse this service."""
    lookup: OriginLookup
    preparing: Preparing | None = None
    """Takes frames out of images, converts them, makes them smaller; None where none of it is wanted."""


@contextlib.asynccontextmanager
async def open_uploads(
    config: Config, ways: Ways, environment: Mapping[str, str], clock: Clock, *, always: bool = False
) -> AsyncIterator[Uploads | None]:
    """
    Connections of their own, so that no call waits for one; None where no binding uploads, unless `always`.

    Raises:
        Misconfigured: a store's key, the environment's authorities or its proxy cannot be read, or an extra is missing.
    """
    if not (config.uploads or always):
        yield None
        return
    timeouts = Timeouts(connect=config.provider.connect_timeout, read=config.images.upload_timeout)
    async with (
        open_sources(config, environment, clock) as sources,
        open_workers(config, environment) as preparing,
        open_transport(config.images.max_fetches, ways) as transport,
    ):
        exchanges = Exchanges(transport, timeouts, clock, metrics.UPLOAD_SECONDS)
        yield Uploads(sources, exchanges, sources.reasons_not_ready, sources, preparing)


def layers(
    config: Config,
    keys: Keys,
    transport: httpx.AsyncBaseTransport,
    clock: Clock,
    tracing: Tracing,
    shares: Shares,
    in_flight: InFlight,
    owns: Callable[[Partition, int], bool],
    *,
    calls: Callable[[], int],
    uploads: Uploads | None = None,
    written: WrittenTasks | None = None,
) -> Provider:
    """
    Stack what is done about pace, capacity, outages and failures around the call.

    Inside out: a call has its span; the breaker learns how it ended; it departs at its moment; the region that it goes
    to is chosen once it has a slot, which it gives back while it waits for one; and a retry does all of it again. Pace
    and slots are the account's, and shared by its regions. `shares` says what this replica may send; an image needs so
    many `calls`. With tasks that are `written` down, answers are their results.
    """
    timeouts = Timeouts(connect=config.provider.connect_timeout, read=config.provider.read_timeout)
    exchanges, api = Exchanges(transport, timeouts, clock), api_of(config)
    waits, line = InterruptibleWaits(), InterruptibleWaits()
    slots, hosts = ConcurrencyLimit(config.provider.max_in_flight, config.weights), defaultdict[str, Hosts](Hosts)
    pace = Pace(0, jitter=config.quota.jitter, burst=config.quota.burst)
    gate = Gate(pace, shares, clock, line)
    # An image may turn out to have many frames, and once one of them is paid for all are asked about. How many an image
    # has is known once it is uploaded, which is before its call has its slot.
    pictures = config.images.frames_asked_about if uploads else 1
    startable = Startable(shares, slots, lambda: calls() * pictures, config.shutdown.drain_timeout, clock)
    breaker = BreakerLimits(
        **config.breaker.model_dump(), others=config.retries.others_answered, full=config.provider.max_in_flight
    )
    answered = set[Asked]()
    fetches = ConcurrencyLimit(config.images.max_fetches, config.weights, SLOTS_OF_FETCHES)
    held = BytesHeld(config.images.max_bytes_held - config.images.max_bytes_made, OF_CONNECTIONS)
    origins = Origins(uploads and uploads.lookup, clock)
    workers = ConcurrencyLimit(config.images.workers, config.weights, SLOTS_OF_WORKERS)
    fetching = uploads and Fetching(
        uploads.sources, fetches, held, origins, wanted_of(config), uploads.preparing, workers
    )
    made = uploads.preparing.held if uploads and uploads.preparing else None
    metrics.IMAGE_BYTES_HELD.set_function(lambda: held.taken + (made.taken if made else 0))

    def uploaded(inner: Moderator, name: str, base_url: str) -> Moderator:
        assert uploads is not None
        assert fetching is not None
        return Uploaded(inner, name, store_of(uploads.exchanges, name, base_url), fetching, waits, clock)

    def store_of(exchanges: Exchanges, name: str, base_url: str) -> UploadStore:
        return UploadStore(api.tokens(exchanges, base_url, keys, clock), exchanges, name, clock)

    apart: dict[str, Apart] = {}
    together = images_together(config, gate.anyone_waits)
    open_scans = written and _open_scans(config, exchanges, keys, clock, written, together)
    places = ConcurrencyLimit(config.scan.max_open_tasks, config.weights, PLACES_OF_TASKS) if open_scans else None

    def region(name: str, base_url: str) -> Region:
        client = api.client(exchanges, base_url, name, keys, clock, together)
        # `Paced` stands outside of `Guarded`, which looks at the permit when the call departs.
        around: list[Layer] = [
            lambda inner: Paced(inner, gate, pace, in_flight, owns, clock, name),
            lambda inner: Guarded(inner, name, answered, clock),
            lambda inner: tracing.moderator(inner, api.operation, name, base_url),
        ]
        if uploads is not None:
            around.insert(1, lambda inner: CopiesKept(inner, name, clock))
        if open_scans is not None:
            around.insert(0, open_scans.taken_over)
        if uploads is not None:
            around.insert(0, lambda inner: uploaded(inner, name, base_url))
        asked = Region(name, stacked(open_scans.client() if open_scans else client, around), breaker)
        traced = tracing.moderator(client, api.operation, name, base_url)
        paced = Paced(traced, gate, pace, in_flight, owns, clock, name)
        apart[name] = Apart(paced, asked, store_of(exchanges, name, base_url), slots)
        return asked

    regions = Regions([region(*each) for each in config.provider.regions], clock, waits)

    async def wait_for_capacity(lanes: Collection[str] = ()) -> None:
        while True:
            await regions.wait_for_capacity()
            await slots.wait_for_capacity(lanes)
            await fetches.wait_for_capacity(lanes)
            if places is not None:
                await places.wait_for_capacity(lanes)
            if startable.has_capacity():
                return
            await startable.wait_for_capacity()

    def give_up_waiting() -> None:
        waits.close()
        line.close()

    _show(shares, pace, gate, clock, config.weights)
    # `Limited` may stand anywhere: out here the region is chosen once there is a slot.
    limited: Moderator = Limited(regions, slots, hosts, line)
    if places is not None:
        limited = Placed(limited, places, line)
    # An image that waits for its turn holds no slot.
    inner = InTurn(limited, origins, waits, clock) if uploads is not None else limited
    retrying = Retrying(inner, RetryPolicy(**config.retries.model_dump()), clock, waits)
    return Provider(
        moderator=OrUploaded(retrying) if uploads is not None else retrying,
        wait_for_capacity=wait_for_capacity,
        has_capacity=lambda lane: (
            regions.has_capacity()
            and slots.has_capacity(lane)
            and fetches.has_capacity(lane)
            and (places is None or places.has_capacity(lane))
            and startable.has_capacity()
        ),
        give_up_waiting=give_up_waiting,
        reasons_not_ready=lambda: [
            *regions.reasons_not_ready(),
            *pace.reasons_not_ready(clock.now()),
            *(uploads.reasons_not_ready() if uploads is not None else ()),
            *origins.reasons_not_ready(),
            *(uploads.preparing.reasons_not_ready() if uploads is not None and uploads.preparing else ()),
            *(open_scans.tasks.reasons_not_ready() if open_scans else ()),
        ],
        apart=apart,
        open_scans=open_scans,
    )


def _open_scans(
    config: Config, exchanges: Exchanges, keys: Keys, clock: Clock, written: WrittenTasks, together: Together | None
) -> OpenScans:
    (name, base_url), *_ = config.provider.regions  # the 1.0 API has no second one
    asking = Asking(config.scan.scenes, config.scan.biz_type)
    region = ScanRegion(
        exchanges=exchanges, base_url=base_url, name=name, keys=keys, clock=clock, asking=asking
    )  # fmt: skip
    return OpenScans.of(region, config.scan, written, together)


def unbilled_call(config: Config, credentials: Credentials) -> EmptyCall | EmptyScan:
    """The call that names no image, of the provider that the configuration asks for; `check` makes it."""
    return api_of(config).unbilled_call(credentials)


def _show(shares: Shares, pace: Pace, gate: Gate, clock: Clock, lanes: Iterable[str]) -> None:
    """Let the metrics of quota and gate be read when they are scraped: a lease runs out though nothing happens."""

    def lane_share(lane: str) -> int:
        return shares.share(clock.now()).by_lane[lane]

    metrics.QUOTA_QPS.set_function(lambda: shares.share(clock.now()).total)
    metrics.QUOTA_RATE.set_function(lambda: pace.rate(clock.now()))
    metrics.QUOTA_LEASE_SECONDS.set_function(lambda: max(0.0, shares.ends - clock.now()))
    for lane in lanes:
        metrics.LANE_SHARE.labels(lane).set_function(partial(lane_share, lane))
        metrics.LANE_WAITING.labels(lane).set_function(partial(gate.waiting, lane))
