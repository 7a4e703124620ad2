"""
What ended is freed at once: nothing of a message, and no image, waits for the garbage collector.

That may take long to come: what lived for a while, as a message does, is looked at again when as much has been added as
a fourth of all there is. An error holds the frames that it came through: a frame that holds the error while it raises
it makes a circle.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from consumer.clock import SystemClock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.dispatch.in_flight import InFlight
from consumer.emulator import EmulatorSettings, Fault, What, running
from consumer.errors import CallFailed
from consumer.http.transport import open_transport
from consumer.keys import FixedKeys
from consumer.layers import layers
from consumer.locations import ByObject
from consumer.moderation import CallContext, ModerationRequest
from consumer.tracing import Untraced
from tests.moderation.requests import GivenShares, context
from tests.rig.freed import left_behind
from tests.rig.pictures import picture

ACCOUNT = EmulatorSettings(latency=0.0, oss={"ugc": {"a.png": picture("red", "PNG", (8, 8))}})
KEY = Credentials(access_key_id=ACCOUNT.access_key_id, access_key_secret=ACCOUNT.access_key_secret)
QUICK = {"attempts": 2, "others_answered": 1, "first_delay": 0.01, "max_delay": 0.01}


def test_a_circle_is_seen() -> None:
    """
    Or the others could not fail.
    """
    with left_behind(CallContext) as found:
        call = context()
        call.before_sending = partial(print, call)
        del call

    assert len(found) == 1


V2 = {"service": "baselineCheck_global", "region": "ap-southeast-1", "provider": {}, "quota": {}}
SCAN = {"service": "scan-1.0", "region": None, "provider": {"api": "scan-1.0"}, "quota": {"qps": 50, "burst": 0.5}}
CLOSED = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("api", "what", "endpoint"),
    [
        (V2, None, None),
        (V2, What(code=407), None),
        (V2, What(code=404), None),
        (V2, What(code=500), None),
        (V2, What(gateway_code="ServiceUnavailable", http_status=503), None),
        (V2, What(throttle={}), None),
        (V2, What(drop="before_reading"), None),
        (V2, What(drop="after_judging"), None),
        (V2, What(never_answer=True), None),
        (V2, What(garbage=True), None),
        (V2, None, CLOSED),
        (SCAN, None, None),
        (SCAN, What(task_code=404), None),
        (SCAN, What(task_code=400), None),
        (SCAN, What(entry="missing"), None),
        (SCAN, What(code=500), None),
        (SCAN, What(throttle={}), None),
        (SCAN, What(drop="after_judging"), None),
        (SCAN, None, CLOSED),
    ],
)
async def test_a_call_that_ended_is_freed_at_once(
    api: Mapping[str, Any], what: What | None, endpoint: str | None
) -> None:
    """
    With an answer, or a failure after which there were others, or none; or because a stop cancelled it while it waited.
    """
    clock, ended = SystemClock(), 0
    async with running(ACCOUNT) as emulator, open_transport(4) as transport:
        if what is not None:
            emulator.faults.add(Fault(what=what, times=6))
        provider = {"read_timeout": 0.1, "endpoint": endpoint or emulator.url, **api["provider"]}
        config = Config.model_validate({"retries": QUICK, "provider": provider, "quota": api["quota"]})
        moderator = layers(
            config, FixedKeys(KEY), transport, clock, Untraced(), GivenShares(config.calls_by_lane), InFlight(clock),
            lambda *_: True, calls=lambda: 1,
        ).moderator  # fmt: skip
        request = ModerationRequest(
            submission="image-1", location=ByObject("ugc", "a.png", api["region"]), service=api["service"]
        )

        with left_behind(CallContext, ModerationRequest) as found:
            for _ in range(8):  # a connection holds the contexts of its first and its last calls
                with contextlib.suppress(CallFailed, TimeoutError):
                    async with asyncio.timeout(0.1 if endpoint else 5.0):
                        await asyncio.create_task(moderator.ask(request, context()))
                        ended += 1

    assert found == []
    assert (ended > 0) is (endpoint is None)
