"""Whether the figures of the configuration fit each other. Values in, findings out."""

import math

from consumer.commands.check.findings import Finding, ok, wrong
from consumer.config import Config


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


def partitions_and_quota(partitions: int, qps: int) -> Finding:
    """Each partition owns a whole number of calls a second, so there cannot be more partitions than calls."""
    if partitions > qps:
        return wrong(
            "quota",
            f"{partitions} input partitions share {qps} calls a second, and each needs at least one: raise quota.qps "
            "or read topics with fewer partitions",
        )
    return ok("quota", f"{qps} calls a second for {partitions} input partition{'s' if partitions > 1 else ''}")
