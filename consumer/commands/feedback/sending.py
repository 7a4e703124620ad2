"""Tells the provider what reviewers agree on, beside `feedback`, where the configuration has it."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, Protocol

import structlog

from consumer import background
from consumer.alibaba.feedback import FeedbackClient
from consumer.authorities import Authorities
from consumer.clock import Clock
from consumer.config import Config
from consumer.config.credentials import Credentials, load_credentials
from consumer.config.feedback import FeedbackSettings
from consumer.errors import Misconfigured
from consumer.feedback import SCENES, Scene
from consumer.feedback.ledger import Follower, LedgerTopic, LedgerWriter
from consumer.feedback.quorum import Quorum
from consumer.feedback.sending import AT_ONCE, Pace, Sending
from consumer.feedback.told import Telling
from consumer.http.exchange import Exchanges, Timeouts
from consumer.http.transport import Ways, open_transport
from consumer.intake.decode.bindings import Bindings
from consumer.journal.signatures import Keyring
from consumer.kafka.security import KafkaAccess
from consumer.keys import keys_of
from consumer.observability.health import Health
from consumer.proxies import Proxies
from consumer.reviews.decided import Decided
from consumer.vendor_facts import scan

log = structlog.get_logger()

RESTART_DELAY: Final = 5.0
SAID_FOR: Final = 60.0  # after an error
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAccess:
    """How the provider is reached, worked out before anything starts."""

    base_url: str
    credentials: Credentials = field(repr=False)
    ways: Ways = field(repr=False)
    dry_run: bool = False

    @classmethod
    def of(cls, config: Config, environment: Mapping[str, str], *, dry_run: bool) -> "ProviderAccess | None":
        """
        None where feedback is off.

        Raises:
            Misconfigured: key, proxy or endpoint are wrong, or a dry run is asked for where feedback is off.
        """
        if not config.feedback.enabled:
            if dry_run:
                raise Misconfigured(["--dry-run: feedback.enabled is false: nothing would be sent"])
            return None
        base_url = config.feedback.endpoint or scan.base_url(config.feedback.region)
        proxies = Proxies.of(environment, config.provider.proxy)
        if problems := list(proxies.problems([base_url])):
            raise Misconfigured(problems)
        trusted = environment if base_url.startswith("https:") else {}
        ways = Ways(proxies, Authorities(config.provider.ca_file, trusted))
        return cls(
            base_url=base_url,
            credentials=load_credentials(environment, config.provider),
            ways=ways,
            dry_run=dry_run,
        )


@dataclass(frozen=True, slots=True)
class Votes:
    """Writes the vote of each decision that was taken into the ledger. It is a `Told`."""

    writer: LedgerWriter

    async def decided(self, decided: Decided) -> None:
        await self.writer.vote(decided.review, decided.verdict, decided.delivery)


@contextlib.asynccontextmanager
async def sending(
    config: Config, keyring: Keyring, access: ProviderAccess, health: Health, clock: Clock
) -> AsyncIterator[Votes]:
    """Follow the ledger and send, until the context ends; yields what decisions are to be told to."""
    settings, kafka = config.feedback, KafkaAccess(config.kafka)
    ledger = ledger_of(config, keyring)
    timeouts = Timeouts(connect=config.provider.connect_timeout, read=config.provider.read_timeout)
    log.info(
        "feedback.sending",
        quorum=settings.quorum,
        dry_run=access.dry_run,
        effect="of the 1.0 service; whether Image Moderation 2.0 honours it is not established",
    )
    async with (
        open_transport(AT_ONCE, access.ways) as transport,
        LedgerWriter.opened(ledger, kafka, clock) as writer,
    ):
        exchanges = Exchanges(transport, timeouts, clock)
        keys = keys_of(config.provider, access.credentials, clock)
        follower = Follower(
            ledger,
            config.kafka,
            kafka,
            Sending(
                telling=Telling(Bindings.of(config), patterns(settings), settings.quorum),
                provider=FeedbackClient(exchanges, access.base_url, settings.region, keys, clock),
                ledger=writer,
                clock=clock,
                pace=Pace(settings.calls_a_second),
                dry_run=access.dry_run,
            ),
            lambda: Quorum(settings.quorum, settings.most),
            settings.calls_a_second,
        )
        kept = Kept(follower, clock)
        health.degraded += [writer.degraded, kept.degraded]
        async with background.running(kept.run(), "feedback"):
            yield Votes(writer)


class Followed(Protocol):
    """A `Follower`."""

    not_read: str

    async def run(self) -> None:
        """Follow the ledger until this is cancelled."""
        ...


@dataclass(slots=True)
class Kept:
    """Follows the ledger, again after whatever went wrong: decisions must not wait for that."""

    follower: Followed
    clock: Clock
    _error: str = ""
    _interrupted_at: float = -inf

    async def run(self) -> None:
        """Follow it until this is cancelled."""
        while True:
            try:
                await self.follower.run()
            except Exception as error:
                self._error, self._interrupted_at = type(error).__name__, self.clock.now()
                log.exception("feedback.interrupted", error=self._error, retry_in=RESTART_DELAY)
            await self.clock.sleep(RESTART_DELAY)

    def degraded(self) -> list[str]:
        """Say that the provider is not told what reviewers agree on."""
        is_interrupted = self.clock.now() - self._interrupted_at < SAID_FOR
        if not (error := self._error if is_interrupted else self.follower.not_read):
            return []
        return [
            f"people: the ledger of feedback cannot be followed ({error}): decisions are taken, and the provider is "
            "told nothing; it goes on by itself"
        ]


def ledger_of(config: Config, keyring: Keyring) -> LedgerTopic:
    """The ledger that the configuration names."""
    return LedgerTopic(topic=config.feedback.topic, group=config.kafka.group_id, keyring=keyring)


def patterns(settings: FeedbackSettings) -> dict[Scene, tuple[str, ...]]:
    """The patterns of labels by scene."""
    return {scene: getattr(settings.scenes, scene) for scene in SCENES}
