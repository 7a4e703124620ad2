"""Whether the figures of the configuration fit each other. Values in, findings out."""

import math
from collections.abc import Iterator

from consumer.commands.check.findings import Finding, ok, wrong
from consumer.config import Config
from consumer.config.safety_nets import CanariesSettings


def calls_at_once(config: Config, latency: float) -> Finding:
    """
    Compare the calls in flight with what the quota needs at a latency in seconds.

    By Little's law, quota × latency calls are in flight on average; half as much again leaves room for slow ones.
    """
    allowed, qps = config.provider.max_in_flight, config.quota.qps
    needed = math.ceil(1.5 * qps * latency)
    if allowed < needed:
        return wrong(
            "calls in flight",
            f"provider.max_in_flight is {allowed}, so it and not the quota is the limit, at about "
            f"{allowed / latency:.0f} calls a second: set it to {needed} or more (1.5 × {qps}/s × {latency:g} s)",
        )
    return ok("calls in flight", f"{allowed}; {qps} calls a second of {latency:g} s need {needed}")


def canary_calls(settings: CanariesSettings, services: int, regions: int, units: int) -> Finding:
    """What asking about canaries costs; `units` is what the provider charges for a call: itself, or so many scenes."""
    images = len(settings.images)
    calls = round(86_400 / settings.interval * images * services * regions)
    what = f"{counted(images, 'image')} every {settings.interval:g} s, by {counted(services, 'service')}"
    billed = (
        f"{calls:,} calls a day, billed"
        if units == 1
        else f"{calls:,} calls a day, billed as {calls * units:,} ({units} scenes each)"
    )
    return ok("canaries", f"{what} in {counted(regions, 'region')}: {billed}; --canary asks now")


def counted(number: int, what: str) -> str:
    """Write how many there are of something."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def partitions_and_journal(partitions: int, per_partition: int, most: int) -> Iterator[Finding]:
    """What may be published behind the lowest open record of every partition must fit into a take-over."""
    if partitions * per_partition > most:
        yield wrong(
            "journal",
            f"{partitions} input partitions × journal.max_outcomes_per_partition {per_partition} are more than "
            f"journal.max_outcomes {most}: set the former to {max(1, most // partitions)} or less, or raise the latter",
        )


def messages_and_calls(config: Config) -> Iterator[Finding]:
    """Reading goes on when half of `admission.max_records` are done: the other half must do for every call."""
    held, calls = config.admission.max_records, config.provider.max_in_flight
    if held < 2 * calls:
        yield wrong(
            "messages held",
            f"admission.max_records is {held}, and reading goes on when half of them are done: the other half is too "
            f"few for the {calls} calls of provider.max_in_flight: set it to {2 * calls} or more",
        )


def partitions_and_calls(partitions: int, per_partition: int, calls: int) -> Iterator[Finding]:
    """The same of `admission.max_records_per_partition`, where one replica has all input partitions."""
    if partitions * per_partition < 2 * calls:
        yield wrong(
            "messages held",
            f"{counted(partitions, 'input partition')} × admission.max_records_per_partition {per_partition}, of which "
            f"half may be done before more is read, is too few for the {calls} calls of provider.max_in_flight: set it "
            f"to {math.ceil(2 * calls / partitions)} or more",
        )


def partitions_and_quota(lane: str, partitions: int, calls: int) -> Finding:
    """Each partition owns a whole number of its lane's calls, so there cannot be more partitions than calls."""
    if partitions > calls:
        return wrong(
            "quota",
            f"lane {lane}: {partitions} input partitions share {calls} calls a second, and each needs at least one: "
            "raise quota.qps or the lane's weight, or read topics with fewer partitions",
        )
    return ok("quota", f"lane {lane}: {calls} calls a second for {counted(partitions, 'input partition')}")
