"""The layers stand around the provider's client as `layers.py` says: what each one does has tests of its own."""

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

import consumer.layers
from consumer.alibaba.client import ImageModerationClient
from consumer.alibaba.scan.asynchronous import AsyncScanClient
from consumer.alibaba.scan.open_scans import WrittenTasks
from consumer.clock import SystemClock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.dispatch.in_flight import InFlight
from consumer.http.exchange import Exchanges, Timeouts
from consumer.image_sources import Sources
from consumer.keys import FixedKeys
from consumer.layers import Uploads, layers
from consumer.moderation import Moderator
from consumer.moderation.regions import Regions
from consumer.observability import metrics
from consumer.tracing import Untraced
from tests.moderation.requests import GivenShares

ONLY_FOR_UPLOADS = {"OrUploaded", "InTurn", "Uploaded", "CopiesKept"}
ONLY_FOR_TASKS = {"Placed", "TakenOver"}
SCAN = {"provider": {"api": "scan-1.0"}, "scan": {"mode": "async"}, "quota": {"qps": 50}}


def written() -> list[str]:
    """The layers in the order of the module's picture."""
    picture = re.findall(r"^ {4}.*$", str(consumer.layers.__doc__), re.MULTILINE)
    return re.findall(r"[A-Z]\w+", "\n".join(picture))


def stacked(moderator: Moderator) -> Iterator[str]:
    """The layers as they stand, outside in."""
    layer: Any = moderator
    while not isinstance(layer, ImageModerationClient | AsyncScanClient):
        yield type(layer).__name__
        layer = layer._regions[0].moderator if isinstance(layer, Regions) else layer._inner


@pytest.mark.parametrize("uploads", [True, False])
@pytest.mark.parametrize("tasks", [True, False])
async def test_every_layer_stands_where_the_picture_has_it(uploads: bool, tasks: bool) -> None:
    """
    Those that are there for uploads are left out where nothing is uploaded, and those for tasks where there are none.
    """
    config, clock = Config.model_validate(SCAN if tasks else {}), SystemClock()
    transport = cast(httpx.AsyncBaseTransport, None)  # nothing is sent
    exchanges = Exchanges(transport, Timeouts(connect=1.0, read=1.0), clock, metrics.UPLOAD_SECONDS)
    sources = cast(Sources, None)
    provider = layers(
        config,
        FixedKeys(Credentials.model_validate({"access_key_id": "k", "access_key_secret": "s"})),
        transport,
        clock,
        Untraced(),
        GivenShares(config.calls_by_lane),
        InFlight(clock),
        lambda *_: True,
        calls=lambda: 1,
        uploads=Uploads(sources, exchanges, list, sources) if uploads else None,
        written=cast(WrittenTasks, SimpleNamespace(known=None, record=None)) if tasks else None,
    )

    left_out = (set() if uploads else ONLY_FOR_UPLOADS) | (set() if tasks else ONLY_FOR_TASKS)
    expected = [name for name in written() if name not in left_out]
    assert list(stacked(provider.moderator)) == expected
