"""What the whole service does about every failure that the provider, its gateway or the way to them can produce."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consumer.emulator import Fault
from tests.rig.emulated import KEY, emulated, upload_objects
from tests.rig.quick_provider.process import QuickProvider
from tests.rig.replica import Replica
from tests.rig.stage import Stage

GOOD = 120
FIRST = 40


@dataclass(frozen=True)
class Case:
    """A fault of one image, and how its verdict must read."""

    what: dict[str, Any]
    error: str | None  # the class in the verdict, None where it is judged in the end
    times: int | None = None  # calls that fail, None for all of them
    attempts: int | None = None  # calls until the verdict, None where it depends on the others
    billed: int = 0


def own(error: str, attempts: int | None = None, billed: int = 0, **what: Any) -> Case:
    """A failure of the image's own: it goes to review."""
    return Case(what, error, attempts=attempts, billed=billed)


def passing(times: int = 2, billed: int = 1, **what: Any) -> Case:
    """A failure that ends: the image is judged, after one call more."""
    return Case(what, None, times=times, attempts=times + 1, billed=billed)


CASES = {
    "code-400": own("input", attempts=1, code=400),
    "code-401": own("input", attempts=1, code=401),
    "code-402": own("input", attempts=1, code=402),
    "code-403": passing(code=403),
    "code-404": own("fetch", attempts=3, code=404),
    "code-404-twice": passing(code=404),
    "code-405": own("fetch", attempts=3, code=405),
    "code-406": own("image", attempts=1, code=406),
    "code-407": own("image", attempts=1, code=407),
    "code-408": own("account", code=408),
    "code-500": own("provider", code=500),
    "code-500-twice": passing(code=500),
    "code-unheard-of": own("provider", code=777),
    "gateway-throttling-400": passing(throttle={"http_status": 400}),
    "gateway-throttling-429": passing(throttle={"http_status": 429, "code": "Throttling"}),
    "gateway-throttling-503-with-a-hint": passing(throttle={"http_status": 503, "retry_after": 0.5}),
    "gateway-any-error-with-a-hint": passing(
        gateway_code="Whatever", http_status=409, headers={"x-acs-retry-after": "300"}
    ),
    "gateway-unavailable": passing(gateway_code="ServiceUnavailable", http_status=503),
    "gateway-internal-error": passing(gateway_code="InternalError", http_status=500),
    "gateway-unheard-of": passing(gateway_code="SomethingNew", http_status=418),
    "gateway-key-unknown": own("account", gateway_code="InvalidAccessKeyId.NotFound", http_status=404),
    "gateway-no-permission": own("account", gateway_code="NoPermission", http_status=403),
    "gateway-token-expired": own("account", gateway_code="InvalidSecurityToken.Expired", http_status=400),
    "gateway-version": own("account", gateway_code="InvalidVersion", http_status=400),
    "gateway-action": own("account", gateway_code="InvalidAction.NotFound", http_status=404),
    "gateway-signature": own("account", signature_refused=True),
    "gateway-clock": own("clock", gateway_code="InvalidTimeStamp.Expired", http_status=400),
    "gateway-nonce": passing(times=1, gateway_code="SignatureNonceUsed", http_status=400),
    "gateway-missing": own("input", attempts=1, gateway_code="MissingService", http_status=400),
    "gateway-invalid": own("input", attempts=1, gateway_code="InvalidParameter", http_status=400),
    "html-502": passing(garbage=True, http_status=502),
    "garbage-200": passing(garbage=True),
    "dropped-before-reading": passing(drop="after_reading"),
    "dropped-after-judging": passing(times=1, drop="after_judging"),
    "never-answered": own("provider", never_answer=True),
    "dripping": own("provider", slow_drip=60.0),
    "malformed-no-result": own(
        "malformed", attempts=1, billed=1, body='{"Code":200,"Data":{"Result":[],"RiskLevel":"none"}}'
    ),
    "malformed-label": own(
        "malformed", attempts=1, billed=1, body='{"Code":200,"Data":{"Result":[{"Label":7}],"RiskLevel":"none"}}'
    ),
    "malformed-echo": own(
        "malformed", attempts=1, billed=1,
        body='{"Code":200,"Data":{"DataId":"another","Result":[{"Label":"nonLabel"}],"RiskLevel":"none"}}',
    ),
}  # fmt: skip


@pytest.mark.scenario
async def test_every_failure_is_answered_as_its_class_asks(stage: Stage, tmp_path: Path) -> None:
    """
    Each failure befalls one image among good ones. What is the image's own goes to review with its class; what passes
    is asked again until it is judged; nothing is dead-lettered, and nothing that failed passes unjudged.
    """
    good = [f"good/{number}" for number in range(GOOD)]
    bad = [f"bad/{name}" for name in CASES]
    async with emulated([*good, *bad]) as emulator:
        for name, case in CASES.items():
            emulator.faults.add(
                Fault.model_validate({"match": {"object": f"bad/{name}"}, "what": case.what, "times": case.times})
            )
        await upload_objects(stage, good[:FIRST])
        config = stage.config(
            emulator.url, provider={"read_timeout": 1.0, "connect_timeout": 1.0},
            quota={"qps": 100}, retries={"first_delay": 0.1, "max_delay": 1.0},
        )  # fmt: skip

        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            # Good ones first: what has never been accepted is configuration, and no image's fault.
            await replica.until_metric("moderation_calls_billed_total", at_least=FIRST)
            await upload_objects(stage, bad + good[FIRST:])
            await stage.until(lambda ids: len(ids) >= GOOD + len(CASES), timeout=120)
        unfired = emulator.faults.unfired()
    outcomes = await stage.outcomes()

    assert unfired == []
    assert outcomes["dead_letter"] == outcomes["block"] == []
    verdicts = {verdict["image"]["ref"]["key"]: verdict for name in ("review", "pass") for verdict in outcomes[name]}
    assert {name: verdicts[name]["decision"] for name in good} == dict.fromkeys(good, "pass")
    told = {name: _told(verdicts[f"bad/{name}"], case) for name, case in CASES.items()}
    assert told == {name: _expected(case) for name, case in CASES.items()}


def _told(verdict: dict[str, Any], case: Case) -> dict[str, Any]:
    """What a verdict says of its failure, as far as the case says what it must be."""
    return {
        "decision": verdict["decision"],
        "error": verdict["error"] and verdict["error"]["class"],
        "attempts": verdict["provider"]["attempts"] if case.attempts else None,
        "billed": verdict["provider"]["billed_calls"],
    }


def _expected(case: Case) -> dict[str, Any]:
    return {
        "decision": "review" if case.error else "pass",
        "error": case.error,
        "attempts": case.attempts,
        "billed": case.billed,
    }


@pytest.mark.scenario
async def test_images_that_come_first_and_always_fail_hold_nobody_up(stage: Stage, tmp_path: Path) -> None:
    """
    Twenty of them look like an outage, and nothing else is under way that could show that it is none. The images behind
    them are judged all the same, and then they are.
    """
    bad, good = 20, 100
    await stage.upload(bad, url="https://img.example.com/poison-{n}.jpg")
    async with QuickProvider.start(latency=0.05, codes={"poison": 500}) as provider:
        config = stage.config(provider.endpoint, retries={"first_delay": 0.1, "max_delay": 1.0})
        async with Replica.started(tmp_path, config) as replica:
            await replica.until(lambda status, text: status == 503 and "is not asked" in text)
            await stage.upload(good, first=bad)
            ids = await stage.until(lambda ids: len(ids) >= bad + good, timeout=90.0)
        outcomes = await stage.outcomes()

    assert len(set(ids)) == len(ids) == bad + good
    assert len(outcomes["review"]) == bad
