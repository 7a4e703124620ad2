"""The 1.0 API's client against the emulator, which checks each signature as the vendor does."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from consumer.alibaba.apis import api_of
from consumer.alibaba.scan.client import ScanClient
from consumer.alibaba.scan.empty_call import EmptyScan
from consumer.alibaba.scan.tasks import Asking
from consumer.alibaba.uploads import UploadStore
from consumer.clock import SystemClock
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.dispatch.in_flight import InFlight
from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.emulator.rules import Rule
from consumer.errors import AccountRefused, CallFailed, ImageRefused, InputRefused, Throttled, Unreachable
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import open_transport
from consumer.keys import FixedKeys
from consumer.layers import layers
from consumer.locations import ByObject
from consumer.moderation import ModerationRequest
from consumer.moderation.assess import Assessing
from consumer.observability import metrics
from consumer.policy.in_force import InForce, ReadyPolicy
from consumer.policy.schema import Policy, PolicySettings, asked_by
from consumer.records import Verdict
from consumer.tracing import Untraced
from tests.moderation.requests import GivenShares, context
from tests.rig.events import submission
from tests.rig.pictures import picture

RULES = [
    {"match": {"average_colour": "red"}, "labels": [{"label": "violent_bloody", "risk_level": "high"}]},
    {"match": {"average_colour": "yellow"}, "labels": [{"label": "sexual_kiss", "risk_level": "medium"}]},
]  # fmt: skip
COLOURS = {"red": "block", "yellow": "review", "white": "pass"}
SETTINGS = EmulatorSettings(
    rules=tuple(map(Rule.model_validate, RULES)),
    oss={"ugc": {**{colour: picture(colour) for colour in COLOURS}, "broken": b"no image"}},
    scan_images=1000,
    qps=1000,
)
KEY = Credentials(access_key_id=SETTINGS.access_key_id, access_key_secret=SETTINGS.access_key_secret)
ASKING = Asking(("porn", "terrorism", "ad"))


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An account with a bucket of images."""
    async with running(SETTINGS) as emulator:
        yield emulator


@pytest.fixture
async def transport() -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Connections to it."""
    async with open_transport(4) as transport:
        yield transport


def exchanges(transport: httpx.AsyncBaseTransport) -> Exchanges:
    return Exchanges(transport, Timeouts(connect=1.0, read=5.0), SystemClock())


def asked(name: str, **changes: Any) -> ModerationRequest:
    return ModerationRequest(
        **{"submission": "image-1", "location": ByObject("ugc", name, None), "service": "scan-1.0", **changes}
    )


def client(emulator: Emulator, transport: httpx.AsyncBaseTransport, key: Credentials = KEY) -> ScanClient:
    return ScanClient(
        exchanges(transport), emulator.url, "ap-southeast-1", FixedKeys(key), SystemClock(), ASKING
    )  # fmt: skip


async def test_one_call_asks_about_all_scenes(emulator: Emulator, transport: httpx.AsyncBaseTransport) -> None:
    """
    A finding each, and the provider charges for as many as we count.
    """
    result = await client(emulator, transport).ask(asked("red"), context())

    assert [each.name for each in result.labels] == ["v1:porn:normal", "v1:terrorism:bloody", "v1:ad:normal"]
    assert (result.risk_level, result.region, result.billed) == ("high", "ap-southeast-1", 3)
    assert emulator.stats()["billed"] == 3


@pytest.mark.parametrize(("name", "kind"), [("gone", Unreachable), ("broken", ImageRefused)])
async def test_an_image_without_an_answer_is_its_own_failure(
    emulator: Emulator, transport: httpx.AsyncBaseTransport, name: str, kind: type[CallFailed]
) -> None:
    """
    And costs nothing.
    """
    with pytest.raises(kind) as failed:
        await client(emulator, transport).ask(asked(name), context())

    assert (failed.value.billed, emulator.stats()["billed"]) == ("no", 0)


async def test_a_wrong_secret_is_the_accounts_fault(emulator: Emulator, transport: httpx.AsyncBaseTransport) -> None:
    """
    The gateway says so before the service looks at anything.
    """
    key = KEY.model_copy(update={"access_key_secret": SecretStr("another")})

    with pytest.raises(AccountRefused):
        await client(emulator, transport, key).ask(asked("red"), context())


async def test_more_images_than_the_quota_are_throttled(transport: httpx.AsyncBaseTransport) -> None:
    """
    Code 588 with HTTP 200.
    """
    async with running(SETTINGS.model_copy(update={"scan_images": 1})) as emulator:
        await client(emulator, transport).ask(asked("white"), context())
        with pytest.raises(Throttled):
            await client(emulator, transport).ask(asked("white"), context())


def config_for(emulator: Emulator, api: str) -> Config:
    return Config.model_validate(
        {"provider": {"api": api, "endpoint": emulator.url}, "quota": {"qps": 50}, "scan": {"scenes": ASKING.scenes}}
    )


async def test_what_is_uploaded_by_its_own_credentials_is_judged(
    emulator: Emulator, transport: httpx.AsyncBaseTransport
) -> None:
    """
    As `oss://`, in the temporary store; one set of credentials serves many images.
    """
    here, clock = exchanges(transport), SystemClock()
    tokens = api_of(config_for(emulator, "scan-1.0")).tokens(here, emulator.url, FixedKeys(KEY), clock)
    store = UploadStore(tokens, here, "ap-southeast-1", clock)

    for colour, level in (("red", "high"), ("white", "none")):
        location = await store.put(picture(colour), "png")
        assert location.key.endswith(".jpg")
        assert (await client(emulator, transport).ask(asked("", location=location), context())).risk_level == level

    assert sum("redential" in str(call.action) for call in emulator.calls) == 1


async def test_the_unbilled_call_shows_that_the_key_is_accepted(
    emulator: Emulator, transport: httpx.AsyncBaseTransport
) -> None:
    """
    It names no image; a wrong key is told apart.
    """
    other = KEY.model_copy(update={"access_key_id": "unknown"})
    kinds = []
    for key in (KEY, other):
        call = EmptyScan(key, ASKING)
        answered = await exchanges(transport).exchange(call.request(emulator.url, "scan-1.0", SystemClock().wall()))
        kinds.append(type(call.failure_in(answered.status, answered.content)))

    assert kinds == [InputRefused, AccountRefused]
    assert emulator.stats()["billed"] == 0


async def verdict(emulator: Emulator, transport: httpx.AsyncBaseTransport, api: str, name: str) -> Verdict:
    """What the service's layers and one policy make of an image, by one of the APIs."""
    config, clock = config_for(emulator, api), SystemClock()
    settings = PolicySettings(policy="one", version=1)
    settings = asked_by(only, settings) if (only := config.provider.only_service) else settings
    in_force = InForce(ReadyPolicy(Policy(settings=settings, sha256="0")))
    provider = layers(
        config, FixedKeys(KEY), transport, clock, Untraced(), GivenShares(config.calls_by_lane), InFlight(clock),
        lambda *_: True, calls=lambda: 1,
    )  # fmt: skip
    image = replace(submission(), location=ByObject("ugc", name, None if config.provider.is_scan else "ap-southeast-1"))
    assessment = await Assessing(provider.moderator, in_force.ready).assess(image)
    return in_force.decide(image, assessment, clock.wall())


@pytest.mark.parametrize("colour", COLOURS)
async def test_one_policy_decides_alike_by_both_apis(
    emulator: Emulator, transport: httpx.AsyncBaseTransport, colour: str
) -> None:
    """
    The same image, the same policy file, the service's own layers: block, review and pass.
    """
    metrics.count_in(metrics.Metrics())
    old, new = [await verdict(emulator, transport, api, colour) for api in ("scan-1.0", "image-moderation-2.0")]

    assert (old.decision, new.decision) == (COLOURS[colour], COLOURS[colour])
    assert (old.assessment.billed_calls, new.assessment.billed_calls) == (3, 1)
    assert {finding.service for finding in old.findings} == {"scan-1.0"}
