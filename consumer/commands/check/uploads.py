"""
Upload a few bytes to each region's temporary store: what shows the right to do so, and the way there.

They are no image, are never asked about, and are deleted by the provider after 30 minutes.
"""

from collections.abc import Mapping

from consumer.alibaba.apis import api_of
from consumer.alibaba.empty_call import EmptyCall
from consumer.alibaba.uploads import UploadStore
from consumer.clock import SystemClock
from consumer.commands.check.findings import Finding, ok, refused, wrong
from consumer.commands.check.provider import UNREACHED
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.config.provider import RegionUrl
from consumer.errors import AccountRefused, CallFailed, Misconfigured
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import Ways, open_transport
from consumer.image_sources import open_workers
from consumer.images.preparing import WorkerNotStarted
from consumer.keys import FixedKeys

PROBE = b"moderation-consumer check"
DEADLINE = 10.0  # seconds, for each call


async def look_at_uploads(config: Config, credentials: Credentials, environment: Mapping[str, str]) -> list[Finding]:
    """Look at every region, where a binding uploads."""
    if not config.uploads:
        return []
    try:
        ways = Ways.of(config.provider, environment)
    except Misconfigured as error:
        return [refused("uploads", problem) for problem in error.problems]
    findings = [await _look_at_workers(config, environment)] if config.images.are_prepared else []
    async with open_transport(1, ways) as transport:
        exchanges = Exchanges(transport, Timeouts(connect=DEADLINE / 2, read=DEADLINE / 2), SystemClock())
        for region in config.provider.regions:
            findings.append(await _look_at(region, exchanges, config, credentials))
    return findings


async def _look_at_workers(config: Config, environment: Mapping[str, str]) -> Finding:
    """Start one of the processes that decode images."""
    try:
        async with open_workers(config, environment) as preparing:
            assert preparing is not None
            await preparing.workers.probe()
    except Misconfigured as error:
        return refused("images", "; ".join(error.problems))
    except WorkerNotStarted as error:
        return wrong("images", f"no worker can be started ({error}): see images.worker_memory_bytes")
    return ok("images", "workers that decode images can be started")


async def _look_at(region: RegionUrl, exchanges: Exchanges, config: Config, credentials: Credentials) -> Finding:
    about, clock = f"uploads {region.name}", SystemClock()
    api = api_of(config)
    tokens = api.tokens(exchanges, region.base_url, FixedKeys(credentials), clock)
    try:
        token = await tokens.current()
    except CallFailed as error:
        return wrong(about, f"{api.token_operation}: {_why(error)}")
    try:
        await UploadStore(tokens, exchanges, region.name, clock).put(PROBE, "txt")
    except CallFailed as error:
        return wrong(about, f"{token.base_url()}: {_why(error)}")
    return ok(about, f"the key may upload images to the temporary store ({token.base_url()})")


def _why(failure: CallFailed) -> str:
    if failure.code in UNREACHED:
        return f"cannot be reached: {failure.code}: {failure.detail}: {UNREACHED[failure.code]}"
    if isinstance(failure, AccountRefused):
        return f"{failure.code}: {EmptyCall.advice_on(failure)}"
    return f"fails: {failure.code}{f' ({failure.detail})' if failure.detail else ''}: try again later"
