"""What a scan starts from: settings, policy, the account's key, and how many calls a second it may send."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

from consumer.commands.inputs import tried
from consumer.commands.scan.options import ScanOptions
from consumer.commands.scan.patience import REFUSALS
from consumer.config import Config
from consumer.config.credentials import Credentials, load_credentials
from consumer.config.loading import load_config, load_sound_part, warnings_of
from consumer.config.provider import QuotaSettings
from consumer.errors import Misconfigured
from consumer.policy.schema import Policy, load_policy


class Inputs(NamedTuple):
    """Everything that is read before anything is asked."""

    config: Config  # as a scan needs it
    policy: Policy
    credentials: Credentials | None  # None for a dry run, which needs none
    qps: int  # calls a second
    warnings: tuple[str, ...]


def load_inputs(options: ScanOptions, environment: Mapping[str, str]) -> Inputs:
    """
    Read everything.

    Raises:
        Misconfigured: with every problem of options, configuration, policy and key.
    """
    path, overrides = options.config, options.overrides
    problems = list(_contradictions(options))
    config = tried(lambda: load_config(path, environment, overrides), problems)
    sound, broken = (config, frozenset[str]()) if config else load_sound_part(path, environment, overrides)
    policy = credentials = None
    file = options.policy or (sound.policies.file if sound and "policy" not in broken else None)
    if file is not None:
        regions = [region.name for region in sound.provider.regions] if sound and "provider" not in broken else []
        only = sound.provider.only_service if sound and regions else None
        policy = tried(partial(load_policy, file, regions, only=only), problems)
    if sound and "provider" not in broken and not options.dry_run:
        credentials = tried(lambda: load_credentials(environment, sound.provider), problems)
    if config is not None:
        problems += _wrong_pace(options, config.quota)
    unread = warnings_of(environment)
    if config is None or policy is None or problems:
        raise Misconfigured([*problems, *unread])
    warnings = (*unread, *policy.warnings, *_warnings(options, config.quota))
    return Inputs(_for_a_scan(config), policy, credentials, pace(options, config.quota), warnings)


def _for_a_scan(config: Config) -> Config:
    """
    Its calls are no topic's, so lanes and bindings play no part, nor do the stores that these name; and nobody corrects
    the account's key while it runs.
    """
    breaker = config.breaker.model_copy(update={"account_failures": min(config.breaker.account_failures, REFUSALS)})
    return config.model_copy(update={"lanes": {}, "bindings": (), "breaker": breaker})


def pace(options: ScanOptions, quota: QuotaSettings) -> int:
    """Calls a second: those asked for, or all, or those that are reserved; a dry run takes all where none are."""
    if options.qps is not None:
        return options.qps
    return quota.qps if options.alone else quota.reserve or quota.qps


def _contradictions(options: ScanOptions) -> Iterator[str]:
    if not options.images and options.manifest is None:
        yield "there is no image to judge: name an IMAGE, or a list with --manifest"
    if options.alone and options.qps is not None:
        yield "--alone and --qps: say one of them; --alone uses all of quota.qps"
    if options.show and options.html is None:
        yield "--show: is about the page of --html, which is not asked for"


def _wrong_pace(options: ScanOptions, quota: QuotaSettings) -> Iterator[str]:
    if options.qps is not None and options.qps > quota.qps:
        yield f"--qps: {options.qps} is more than quota.qps, the account's {quota.qps} calls a second"
    if options.qps is None and not options.alone and not quota.reserve and not options.dry_run:
        yield (
            f"quota.reserve is 0: a running service uses all of the account's {quota.qps} calls a second, and this "
            "scan would have it throttled. Say --qps N, and set the service's quota.reserve to N or more; or say "
            "--alone if no service runs"
        )


def _warnings(options: ScanOptions, quota: QuotaSettings) -> Iterator[str]:
    if options.qps is not None and options.qps > quota.reserve and not options.dry_run:
        yield (
            f"--qps {options.qps} is more than quota.reserve, which is {quota.reserve}: a service that runs meanwhile "
            "and this scan exceed the account's quota together, and are throttled"
        )
