"""
What ended is freed at once: nothing of a message, and no image, waits for the garbage collector.

That may take long to come: what lived for a while, as a message does, is looked at again when as much has been added as
a fourth of all there is. An error holds the frames that it came through: a frame that holds the error while it raises
it makes a circle.
"""

import asyncio
import contextlib
from functools import partial

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


@pytest.mark.parametrize(
    ("what", "endpoint", "at_most"),
    [
        (None, None, 5.0),
        (What(code=407), None, 5.0),
        (What(code=404), None, 5.0),
        (What(code=500), None, 5.0),
        (What(gateway_code="ServiceUnavailable", http_status=503), None, 5.0),
        (What(throttle={}), None, 5.0),
        (What(drop="before_reading"), None, 5.0),
        (What(drop="after_judging"), None, 5.0),
        (What(never_answer=True), None, 5.0),
        (What(garbage=True), None, 5.0),
        (None, "http://127.0.0.1:1", 0.1),
        (None, "https://nowhere.invalid", 0.1),
    ],
)
async def test_a_call_that_ended_is_freed_at_once(what: What | None, endpoint: str | None, at_most: float) -> None:
    """
    With an answer, or a failure after which there were others, or none; or because a stop cancelled it while it waited.
    """
    clock = SystemClock()
    async with running(ACCOUNT) as emulator, open_transport(4) as transport:
        if what is not None:
            emulator.faults.add(Fault(what=what, times=6))
        provider = {"read_timeout": 0.1, "endpoint": endpoint or emulator.url}
        config = Config.model_validate({"retries": QUICK, "provider": provider})
        moderator = layers(
            config, FixedKeys(KEY), transport, clock, Untraced(), GivenShares(config.calls_by_lane), InFlight(clock),
            lambda *_: True, calls=lambda: 1,
        ).moderator  # fmt: skip
        request = ModerationRequest(
            submission="image-1", location=ByObject("ugc", "a.png", "ap-southeast-1"), service="baselineCheck_global"
        )

        with left_behind(CallContext, ModerationRequest) as found:
            for _ in range(8):  # a connection holds the contexts of its first and its last calls
                with contextlib.suppress(CallFailed, TimeoutError):
                    async with asyncio.timeout(at_most):
                        await asyncio.create_task(moderator.ask(request, context()))

    assert found == []
