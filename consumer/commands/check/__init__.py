"""
Check everything that the service needs before it runs: one line each, and how to correct what is wrong.

Everything that can be looked at is, whatever else is wrong: a broken section of the configuration leaves out what it
concerns and no more. Nothing is changed, and nothing is billed but canaries, where they are asked about.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from consumer.clock import SystemClock
from consumer.commands.check.callbacks import callbacks
from consumer.commands.check.canaries import look_at_canaries
from consumer.commands.check.disclosure import not_told
from consumer.commands.check.findings import Finding, ok, refused, skipped, warning
from consumer.commands.check.identity import identity
from consumer.commands.check.kafka import look_at_kafka
from consumer.commands.check.key_files import open_to_others
from consumer.commands.check.networks import endpoints
from consumer.commands.check.places import bindings, role_for_objects, sources
from consumer.commands.check.provider import look_at_provider
from consumer.commands.check.sizing import calls_at_once, canary_calls, messages_and_calls
from consumer.commands.check.stores import look_at_stores
from consumer.commands.check.uploads import look_at_uploads
from consumer.config import Config
from consumer.config.credentials import Credentials, load_credentials
from consumer.config.loading import load_config, load_sound_part, warnings_of
from consumer.errors import Misconfigured
from consumer.http.transport import Ways
from consumer.layers import unbilled_call
from consumer.policy.schema import Policy
from consumer.policy_files.loading import load_policies
from consumer.vendor_facts.aliyun import DEFAULT_SERVICE


async def check(
    path: Path | None,
    environment: Mapping[str, str],
    overrides: Sequence[str],
    *,
    latency: float,
    outage: float,
    canary: bool = False,
) -> list[Finding]:
    """
    Look at everything; ends within half a minute or so, whatever does not answer.

    `latency` is how long a call takes, `outage` the longest one to survive, both in seconds. With `canary` canaries are
    asked about as well, each in at most a quarter of a minute.
    """
    findings: list[Finding] = []
    config, broken = _configuration(path, environment, overrides, findings)
    findings += [warning("environment", text) for text in warnings_of(environment)]
    if config is None:
        findings.append(skipped("everything else", "needs a configuration that can be read"))
        return findings
    policy = _policy(config, broken, findings)
    credentials = _credentials(config, broken, environment, findings)
    if not {"identity", "kafka"} & broken:
        findings += identity(config.identity, config.kafka)
    if "scan" not in broken and config.provider.is_scan:
        findings += callbacks(config.scan)
    _figures(config, broken, latency, findings)
    if config.canaries.images and policy and not {"canaries", "provider", "scan"} & broken:
        services, regions = len(policy.settings.all_asked.services), len(config.provider.regions)
        findings.append(canary_calls(config.canaries, services, regions, config.units_per_call))
    if "provider" not in broken:
        findings += endpoints(config.provider)
    findings += open_to_others(config)
    kafka, provider, stores = await asyncio.gather(
        _kafka(config, broken, outage),
        _provider(config, broken, policy, credentials, environment),
        _stores(config, broken, environment),
    )
    canaries = await _canaries(config, broken, policy, credentials, environment) if canary else []
    return [*findings, *kafka, *provider, *stores, *canaries]


def _configuration(
    path: Path | None, environment: Mapping[str, str], overrides: Sequence[str], findings: list[Finding]
) -> tuple[Config | None, frozenset[str]]:
    try:
        config = load_config(path, environment, overrides)
    except Misconfigured as error:
        findings += [refused("configuration", problem) for problem in error.problems]
        return load_sound_part(path, environment, overrides)
    findings.append(ok("configuration", str(path or "no file: the defaults")))
    return config, frozenset()


def _policy(config: Config, broken: frozenset[str], findings: list[Finding]) -> Policy | None:
    if "policy" in broken:
        return None
    try:
        regions = () if "provider" in broken else [region.name for region in config.provider.regions]
        policy = load_policies(config.policies, regions, None if broken else config)
    except Misconfigured as error:
        findings += [refused("policy", problem) for problem in error.problems]
        return None
    files = config.policies
    findings.append(ok("policy", f"{files.file}: {policy.settings.policy}, version {policy.settings.version}"))
    if policy.shadow:
        settings = policy.shadow.settings
        findings.append(ok("policy in shadow", f"{files.shadow}: {settings.policy}, version {settings.version}"))
    if files.tests:
        findings.append(ok("policy tests", f"{files.tests}: the policy passes them"))
    findings.append(ok("policy reload", _reload(files.reload)))
    for each in (policy, policy.shadow):
        findings += [warning("policy", reason) for reason in (*each.warnings, *each.unsafe)] if each else []
    if "privacy" not in broken:
        findings += not_told(config.privacy, policy.settings.all_asked.info, str(files.file))
    return policy


def _reload(interval: float | None) -> str:
    if interval is None:
        return "off: a change takes effect with a restart; policy.reload switches it on"
    return f"on: the files are looked at every {interval:g} s, and a change takes effect without a restart"


def _credentials(
    config: Config, broken: frozenset[str], environment: Mapping[str, str], findings: list[Finding]
) -> Credentials | None:
    if "provider" in broken:
        return None
    try:
        credentials = load_credentials(environment, config.provider)
    except Misconfigured as error:
        findings += [refused("credentials", problem) for problem in error.problems]
        return None
    source = "the environment" if config.provider.key_files is None else str(config.provider.key_files)
    findings.append(ok("credentials", f"a key from {source}"))
    return credentials


def _figures(config: Config, broken: frozenset[str], latency: float, findings: list[Finding]) -> None:
    if {"provider", "quota"} & broken:
        findings.append(skipped("calls in flight", "needs correct sections provider and quota"))
    else:
        findings.append(calls_at_once(config, latency))
    if not {"provider", "admission"} & broken:
        findings += messages_and_calls(config)
    if "bindings" in broken:
        findings.append(skipped("bindings", "needs a correct section bindings"))
    else:
        findings += bindings(config.bindings, config.oss.buckets, config.provider.own_store)
        findings += role_for_objects(config.bindings, config.oss.buckets, config.provider.own_store)
    if {"kafka", "sources"} & broken:
        findings.append(skipped("sources", "needs correct sections kafka and sources"))
    else:
        findings += sources(config.kafka.topics, config.sources)


async def _kafka(config: Config, broken: frozenset[str], outage: float) -> list[Finding]:
    if {"kafka", "quota"} & broken:
        return [skipped("Kafka", "needs correct sections kafka and quota")]
    return await look_at_kafka(config, outage, time.time())


async def _canaries(
    config: Config,
    broken: frozenset[str],
    policy: Policy | None,
    credentials: Credentials | None,
    environment: Mapping[str, str],
) -> list[Finding]:
    if policy is None or credentials is None or {"provider", "quota", "canaries", "kafka", "lanes", "images"} & broken:
        sections = "canaries, images, kafka, lanes, provider and quota"
        return [skipped("canaries", f"needs the account's key, the policy, and correct sections {sections}")]
    return await look_at_canaries(config, policy.settings, credentials, environment)


async def _stores(config: Config, broken: frozenset[str], environment: Mapping[str, str]) -> list[Finding]:
    if {"stores", "bindings", "images"} & broken:
        return [skipped("stores", "needs correct sections stores, bindings and images")]
    return await look_at_stores(config, environment, SystemClock())


async def _provider(
    config: Config,
    broken: frozenset[str],
    policy: Policy | None,
    credentials: Credentials | None,
    environment: Mapping[str, str],
) -> list[Finding]:
    if "provider" in broken or credentials is None:
        return [skipped("provider, clock", "needs the account's key and a correct section provider")]
    services = policy.settings.all_asked.services if policy else (DEFAULT_SERVICE,)
    try:
        ways = Ways.of(config.provider, environment)
    except Misconfigured as error:
        return [refused("provider", problem) for problem in error.problems]
    findings = await look_at_provider(
        config.provider.regions, services, unbilled_call(config, credentials), time.time, ways
    )
    if not {"bindings", "images"} & broken:
        findings += await look_at_uploads(config, credentials, environment)
    return findings
