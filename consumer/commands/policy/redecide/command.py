"""What `policy redecide` does."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from consumer.clock import SystemClock
from consumer.commands.policy.durations import seconds_in
from consumer.commands.policy.redecide.redeciding import Options, Redeciding
from consumer.commands.policy.redecide.showing import Showing
from consumer.commands.policy.redecide.summary import Summary
from consumer.config.identity import read_keys
from consumer.config.loading import load_config
from consumer.errors import Misconfigured
from consumer.journal.signatures import Keyring
from consumer.policy.schema import load_policy


def redecide(
    candidate: Path,
    config_file: Path | None,
    environment: Mapping[str, str],
    overrides: Sequence[str],
    *,
    since: str,
    apply: bool,
    rate: float,
    memory: int,
    as_json: bool,
    rescan: str | None = None,
    yes: bool = False,
) -> Summary:
    """
    Decide again what was published in the time before now. `memory` is in MiB.

    Raises:
        Misconfigured: the policy, the configuration, a key or an option is wrong.
        ConsumerError: it could not go on. What is published stays, and another run goes on from there.
    """
    clock = SystemClock()
    began = clock.wall() - seconds_in(since)
    config = load_config(config_file, environment, overrides)
    regions = [region.name for region in config.provider.regions]
    policy = load_policy(candidate, regions, only=config.provider.only_service)
    keyring = Keyring(read_keys(config.identity), config.identity.sign)
    if rescan is not None and rescan not in config.kafka.topics:
        known = ", ".join(config.kafka.topics)
        raise Misconfigured([f"--rescan: {rescan!r} is none of kafka.topics, which the service reads: {known}"])
    options = Options(began, apply, rate, memory << 20, rescan)
    with Showing(as_json=as_json, is_confirmed=yes, qps=config.quota.qps) as showing:
        return asyncio.run(Redeciding(config, policy, keyring, clock, showing).run(options))
