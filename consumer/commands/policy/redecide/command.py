"""What `policy redecide` does."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from consumer.clock import SystemClock
from consumer.commands.policy.redecide.redeciding import Options, Redeciding
from consumer.commands.policy.redecide.showing import Showing
from consumer.commands.policy.redecide.summary import Summary
from consumer.config.identity import read_keys
from consumer.config.loading import load_config
from consumer.errors import Misconfigured
from consumer.journal.signatures import Keyring
from consumer.policy.schema import load_policy

_UNITS = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}


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
    policy = load_policy(candidate, [region.name for region in config.provider.regions])
    keyring = Keyring(read_keys(config.identity), config.identity.sign)
    if rescan is not None and rescan not in config.kafka.topics:
        known = ", ".join(config.kafka.topics)
        raise Misconfigured([f"--rescan: {rescan!r} is none of kafka.topics, which the service reads: {known}"])
    options = Options(began, apply, rate, memory << 20, rescan)
    with Showing(as_json=as_json, is_confirmed=yes, qps=config.quota.qps) as showing:
        return asyncio.run(Redeciding(config, policy, keyring, clock, showing).run(options))


def seconds_in(duration: str) -> float:
    """
    Read a duration such as 30d.

    Raises:
        Misconfigured: it is none.
    """
    found = re.fullmatch(r"(\d{1,6})([mhdw])", duration)
    if found is None:
        raise Misconfigured([f"--since: {duration!r} is no duration: write a number and m, h, d or w, such as 30d"])
    return int(found[1]) * _UNITS[found[2]]
