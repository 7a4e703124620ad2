"""
Ask the provider a question that names no image: nothing can be judged, so nothing is billed.

    key, signature, clock, permission ──gateway──► service ──► Code 400: a parameter is empty

The call is the very one that the service makes, `ImageModeration` for the policy's services, with `ServiceParameters`
of `{}`. Vendor: only answers with `Code` 200 are charged. The gateway looks at key, date and signature before the
service sees the parameters, so a refusal for emptiness says that all of those are right. Another action would cost as
little and show less: the permission to call it is given apart.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

import aiohttp
import httpx
import orjson

from consumer.alibaba import image_moderation, signing
from consumer.alibaba.codes import failure_of
from consumer.commands.check.findings import Finding, lasting, ok, skipped, warning, wrong
from consumer.config.credentials import Credentials
from consumer.config.provider import RegionUrl
from consumer.errors import AccountRefused, CallFailed, ClockOff, InputRefused, ProviderFailed, Throttled
from consumer.http.reading import read_body
from consumer.http.transport import Ways, open_transport

DEADLINE = 10.0  # seconds, for each call
MOST_SKEW = 900.0  # seconds. Vendor: a call whose date is further off is refused
NOTABLE_SKEW = 60.0  # seconds
INVALID = "401"  # Vendor: the service's code for a parameter that is not empty and wrong

ADVICE = {
    "InvalidAccessKeyId": "no such access key, or it is disabled: see ALIBABA_CLOUD_ACCESS_KEY_ID or the key files",
    "SignatureDoesNotMatch": "the secret is not this key's: see ALIBABA_CLOUD_ACCESS_KEY_SECRET or the key files",
    "InvalidSecurityToken": "the temporary key has expired, or the token is another key's: fetch a new one",
    "MissingSecurityToken": "this is a temporary key: set ALIBABA_CLOUD_SECURITY_TOKEN as well",
    "Forbidden": "the key may not call Image Moderation: attach AliyunYundunGreenWebFullAccess to its RAM user",
    "NoPermission": "the key may not call Image Moderation: attach AliyunYundunGreenWebFullAccess to its RAM user",
    "408": "Content Moderation is not activated, not permitted, or payment is overdue: see the provider's console",
    "InvalidTimeStamp": "the date of the call is refused: set this machine's clock",
}


NOT_REACHED = "cannot be reached:"
# By the step that failed; see `http/not_reached.py`.
UNREACHED = {
    "dns": "see this machine's DNS, and provider.endpoint",
    "connect": "see the network, firewalls and network policy, provider.endpoint, and whether a proxy is needed "
    "(provider.proxy)",
    "tls": "see provider.ca_file for a private authority, the certificate's host and dates, and this machine's clock",
    "proxy": "see provider.proxy, or HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: how a refusal is sorted, None for a call that was accepted; and the provider's time."""

    failure: CallFailed | None
    date: float | None  # unix seconds
    asked_at: float  # unix seconds


async def look_at_provider(
    regions: Sequence[RegionUrl],
    services: Sequence[str],
    credentials: Credentials,
    now: Callable[[], float],
    ways: Ways | None = None,
) -> list[Finding]:
    """Look at every region, with every service: key, clock and the way there. `now` tells unix seconds."""
    findings: list[Finding] = []
    async with open_transport(len(services), ways) as transport:
        asking = _Asking(transport, credentials, now)
        for region in regions:
            proxy = ways.proxies.proxy_for(region.base_url) if ways else None
            if proxy is not None:
                findings.append(ok(f"proxy {region.name}", f"called through {proxy.url} ({proxy.named_by})"))
            replies = await asyncio.gather(*(asking.ask(region.base_url, service) for service in services))
            findings += _judge_region(region, dict(zip(services, replies, strict=True)))
    return findings


@dataclass(frozen=True, slots=True)
class _Asking:
    """Sends the question."""

    transport: httpx.AsyncBaseTransport
    credentials: Credentials
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
            return f"answers what cannot be read ({error.code})"
        except (httpx.TransportError, aiohttp.ClientError, OSError) as error:
            return f"cannot be reached ({type(error.__cause__ or error).__name__})"
        except Exception as error:  # noqa: BLE001 — whatever a peer can make the HTTP library raise
            return f"answers what cannot be read ({type(error).__name__})"

    async def _send(self, base_url: str, service: str) -> Reply:
        asked_at = self.now()
        body = f"Service={quote(service, safe='~')}&ServiceParameters={quote('{}', safe='~')}".encode()
        headers = signing.signed_headers(
            action=image_moderation.ACTION,
            version=image_moderation.VERSION,
            host=urlsplit(base_url).netloc,
            body=body,
            content_type=image_moderation.CONTENT_TYPE,
            date=signing.timestamp(asked_at),
            nonce=secrets.token_hex(16),
            credentials=self.credentials,
        )
        headers |= {"accept": "application/json", "accept-encoding": "identity"}
        request = httpx.Request("POST", f"{base_url}/", headers=headers, content=body)
        response = await self.transport.handle_async_request(request)
        content = await read_body(response)
        return Reply(
            _failure(response.status_code, content), _date(response.headers.get("date")), (asked_at + self.now()) / 2
        )


def _judge_region(region: RegionUrl, replies: Mapping[str, Reply | str]) -> Iterator[Finding]:
    about = f"provider {region.name}"
    answers = [reply for reply in replies.values() if isinstance(reply, Reply)]
    if not answers:
        why = str(next(iter(replies.values())))
        advice = "" if why.startswith(NOT_REACHED) else ": see the network, DNS and provider.endpoint"
        yield wrong(about, f"{region.base_url} {why}{advice}")
        yield skipped("credentials, clock", f"what needs {region.name}'s answer")
        return
    for service, reply in replies.items():
        if isinstance(reply, Reply):
            yield _judge(about, service, reply)
        else:
            yield wrong(about, f"{service}: {region.base_url} {reply}: try again")
    yield from _clock(answers[0])


def _failure(status: int, content: bytes) -> CallFailed | None:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return failure_of(status, None)
    code = answer.get("Code") if isinstance(answer, dict) else None
    accepted = 200 <= status < 300 and code == 200
    return None if accepted else failure_of(status, code if isinstance(code, int | str) else None)


def _judge(about: str, service: str, reply: Reply) -> Finding:
    failure = reply.failure
    match failure:
        case None:
            return warning(about, f"{service}: a question without an image was accepted; this is not the provider")
        case InputRefused() if failure.code == INVALID:
            return warning(about, f"{service}: refused as invalid, not as empty; see that the policy's service exists")
        case InputRefused():
            return ok(about, f"{service}: the key is accepted (asked without an image: not billed)")
        case Throttled():
            return warning(about, f"{service}: the key is accepted, and the account's quota is in use at the moment")
        case ClockOff() | AccountRefused():
            advice = next((text for code, text in ADVICE.items() if failure.code.startswith(code)), "see the account")
            return wrong(about, f"{failure.code}: {advice}")
        case _:
            return wrong(about, f"{service}: the provider fails ({failure.code}): try again later")


def _clock(reply: Reply) -> Iterator[Finding]:
    if reply.date is None:
        yield skipped("clock", "the provider's answer has no Date")
        return
    ahead = reply.asked_at - reply.date
    told = f"this machine is {lasting(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the provider"
    if abs(ahead) > MOST_SKEW:
        yield wrong("clock", f"{told}, which refuses calls beyond 15 min: set the clock, such as with NTP")
    elif abs(ahead) > NOTABLE_SKEW:
        yield warning("clock", f"{told}; beyond 15 min it refuses calls: set the clock, such as with NTP")
    else:
        yield ok("clock", "agrees with the provider's to the minute")


def _date(header: str | None) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp() if header else None
    except (ValueError, OverflowError, OSError):  # the calendar of the machine does not reach every year
        return None
