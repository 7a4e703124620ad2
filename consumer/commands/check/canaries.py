"""
Ask about every canary once, by each service in each region: billed, at the pace that other users of the account have.
"""

from collections.abc import Iterator, Mapping

from consumer.canaries.asking import Asker, CanaryCalls
from consumer.canaries.expectations import Result, Told
from consumer.clock import SystemClock
from consumer.commands.check.findings import Finding, ok, refused, wrong
from consumer.commands.scan.asking import ConstantShare
from consumer.config import Config
from consumer.config.credentials import Credentials
from consumer.config.safety_nets import CanaryImage
from consumer.dispatch.in_flight import InFlight
from consumer.errors import Misconfigured
from consumer.http.transport import Ways, open_transport
from consumer.keys import FixedKeys
from consumer.layers import layers
from consumer.policy.schema import PolicySettings
from consumer.records import Partition
from consumer.tracing import Untraced

ABOUT = "canaries"


async def look_at_canaries(
    config: Config, policy: PolicySettings, credentials: Credentials, environment: Mapping[str, str]
) -> list[Finding]:
    """Look at every one. Each is `wrong` where it is not answered as it should be, or not at all."""
    if not config.canaries.images:
        return [wrong(ABOUT, "there are none: name images whose answer is known under canaries.images")]
    try:
        ways = Ways.of(config.provider, environment)
    except Misconfigured as error:
        return [refused("provider", problem) for problem in error.problems]
    topic, clock = config.kafka.topics[0], SystemClock()
    asker = Asker(Partition(topic, 0), 0, config.lane_by_topic[topic])
    async with open_transport(1, ways) as transport:
        provider = layers(
            config,
            FixedKeys(credentials),
            transport,
            clock,
            Untraced(),
            ConstantShare(config.quota.reserve or 1, asker.lane),
            InFlight(clock),
            lambda partition, epoch: True,
            calls=lambda: 1,
        )
        calls = CanaryCalls(provider.apart, config.provider.referer)
        return [
            _finding(canary, f"{service} in {region}", await calls.ask(canary, service, region, asker))
            for canary, service, region in _each(config, policy, calls)
        ]


def _each(config: Config, policy: PolicySettings, calls: CanaryCalls) -> Iterator[tuple[CanaryImage, str, str]]:
    for canary in config.canaries.images:
        for service in policy.all_asked.services:
            for region in calls.regions:
                yield canary, service, region


def _finding(canary: CanaryImage, where: str, told: Told) -> Finding:
    about = f"canary {canary.name}"
    match told.result:
        case Result.AS_EXPECTED:
            return ok(about, f"{where} answers {told.level}, as it should")
        case Result.MISSED:
            return wrong(
                about,
                f"{where} answers {told.level}, and it is known to be bad: see which items are switched on in the "
                "account's console, and whether a library of yours allows it",
            )
        case Result.FLAGGED:
            return wrong(about, f"{where} answers {told.level}, and it is known to be good: see your libraries")
        case Result.UNANSWERED:
            return wrong(about, f"{where} does not answer: {told.code}")
