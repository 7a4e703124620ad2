"""
Call the provider without naming an image, and say what its answers show about key, clock and network path.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol

import aiohttp
import httpx

from consumer.commands.check.findings import Finding, lasting, ok, skipped, warning, wrong
from consumer.config.provider import RegionUrl
from consumer.errors import AccountRefused, CallFailed, ClockOff, InputRefused, ProviderFailed, Throttled
from consumer.http.reading import read_body
from consumer.http.transport import Ways, open_transport

DEADLINE = 10.0  # seconds, for each call
NOTABLE_SKEW = 60.0  # seconds

NOT_REACHED = "cannot be reached:"
# By the step that failed; see `http/not_reached.py`.
UNREACHED = {
    "dns": "see this machine's DNS, and provider.endpoint",
    "connect": "see the network, firewalls and network policy, provider.endpoint, and whether a proxy is needed "
    "(provider.proxy)",
    "tls": "see provider.ca_file for a private authority, the certificate's host and dates, and this machine's clock",
    "proxy": "see provider.proxy, or HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY",
}


class UnbilledCall(Protocol):
    """The vendor's call that names no image: how it is written, and what its answers mean."""

    most_skew: float  # seconds by which this machine's clock may be off

    def request(self, base_url: str, service: str, now: float) -> httpx.Request:
        """Sign it at `now` (unix seconds)."""
        ...

    def failure_in(self, status: int, content: bytes) -> CallFailed | None:
        """How the answer is sorted; None for a call that was accepted."""
        ...

    def doubts_service(self, failure: CallFailed) -> bool:
        """Whether a refusal of the input may be for the service's name."""
        ...

    def advice_on(self, failure: CallFailed) -> str:
        """What the account's owner can do about a refusal."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: how a refusal is sorted, None for a call that was accepted; and the provider's time."""

    failure: CallFailed | None
    date: float | None  # unix seconds
    asked_at: float  # unix seconds


async def look_at_provider(
    regions: Sequence[RegionUrl],
    services: Sequence[str],
    call: UnbilledCall,
    now: Callable[[], float],
    ways: Ways | None = None,
) -> list[Finding]:
    """Look at every region, with every service: key, clock and network path. `now` returns unix seconds."""
    findings: list[Finding] = []
    async with open_transport(len(services), ways) as transport:
        asking = _Asking(transport, call, now)
        for region in regions:
            proxy = ways.proxies.proxy_for(region.base_url) if ways else None
            if proxy is not None:
                findings.append(ok(f"proxy {region.name}", f"called through {proxy.url} ({proxy.named_by})"))
            replies = await asyncio.gather(*(asking.ask(region.base_url, service) for service in services))
            findings += _judge_region(region, dict(zip(services, replies, strict=True)), call)
    return findings


@dataclass(frozen=True, slots=True)
class _Asking:
    """Sends the question."""

    transport: httpx.AsyncBaseTransport
    call: UnbilledCall
    now: Callable[[], float]

    async def ask(self, base_url: str, service: str) -> Reply | str:
        """Return what came back, or why nothing did."""
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._send(base_url, service)
        except TimeoutError:
            return f"does not answer within {DEADLINE:g} s"
        except ProviderFailed as error:
            if error.code in UNREACHED:
                return f"{NOT_REACHED} {error.code}: {error.detail}: {UNREACHED[error.code]}"
            return f"gives an answer that cannot be read ({error.code})"
        except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
            return f"cannot be reached ({type(error).__name__})"
        except Exception as error:  # noqa: BLE001 — whatever a peer can make the HTTP library raise
            return f"gives an answer that cannot be read ({type(error).__name__})"

    async def _send(self, base_url: str, service: str) -> Reply:
        asked_at = self.now()
        request = self.call.request(base_url, service, asked_at)
        response = await self.transport.handle_async_request(request)
        content = await read_body(response)
        return Reply(
            self.call.failure_in(response.status_code, content),
            _date(response.headers.get("date")),
            (asked_at + self.now()) / 2,
        )


def _judge_region(region: RegionUrl, replies: Mapping[str, Reply | str], call: UnbilledCall) -> Iterator[Finding]:
    about = f"provider {region.name}"
    answers = [reply for reply in replies.values() if isinstance(reply, Reply)]
    if not answers:
        why = str(next(iter(replies.values())))
        advice = "" if why.startswith(NOT_REACHED) else ": see the network, DNS and provider.endpoint"
        yield wrong(about, f"{region.base_url} {why}{advice}")
        yield skipped("credentials, clock", f"they need an answer from {region.name}")
        return
    for service, reply in replies.items():
        if isinstance(reply, Reply):
            yield _judge(about, service, reply, call)
        else:
            yield wrong(about, f"{service}: {region.base_url} {reply}: try again")
    yield from _clock(answers[0], call.most_skew)


def _judge(about: str, service: str, reply: Reply, call: UnbilledCall) -> Finding:
    failure = reply.failure
    match failure:
        case None:
            return warning(about, f"{service}: a call without an image was accepted: this is not the provider")
        case InputRefused() if call.doubts_service(failure):
            return warning(
                about, f"{service}: refused as invalid, not as empty: check that the policy's service exists"
            )
        case InputRefused():
            return ok(about, f"{service}: the key is accepted (called without an image, so not billed)")
        case Throttled():
            return warning(about, f"{service}: the key is accepted, but the account's quota is used up at the moment")
        case ClockOff() | AccountRefused():
            return wrong(about, f"{failure.code}: {call.advice_on(failure)}")
        case _:
            return wrong(about, f"{service}: the provider fails ({failure.code}): try again later")


def _clock(reply: Reply, most_skew: float) -> Iterator[Finding]:
    if reply.date is None:
        yield skipped("clock", "the provider's answer has no Date")
        return
    ahead = reply.asked_at - reply.date
    told = f"this machine is {lasting(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the provider"
    if abs(ahead) > most_skew:
        yield wrong(
            "clock", f"{told}, which refuses calls beyond {lasting(most_skew)}: set the clock, such as with NTP"
        )
    elif abs(ahead) > NOTABLE_SKEW:
        yield warning("clock", f"{told}; beyond {lasting(most_skew)} it refuses calls: set the clock, such as with NTP")
    else:
        yield ok("clock", "agrees with the provider's within a minute")


def _date(header: str | None) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except (ValueError, OverflowError, OSError):  # the calendar of the machine does not reach every year
        return None
