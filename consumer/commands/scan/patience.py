"""When a scan gives up, because nothing is answered. Values only: the caller passes the time, in monotonic seconds."""

from typing import NamedTuple, Self

from prometheus_client import CollectorRegistry

from consumer.errors import AccountRefused, ClockOff, ProviderFailed, Throttled, kinds

REFUSALS = 3
"""Refusals of the account after which nothing is expected of further calls, where none was answered …"""
SETTLED = 2.0
"""… in so many seconds."""
LONGEST_LOOK = 1.0  # seconds that count between two looks: a machine that slept was not waiting

_PROXY_AWAY = "proxy"
"""The outcome of fetching an image that is the proxy's: none of the image's, so it is tried for as long as it takes."""
_REFUSED = frozenset({AccountRefused.kind, ClockOff.kind})
_AWAY = _REFUSED | {ProviderFailed.kind, Throttled.kind}


class Reading(NamedTuple):
    """What became of the calls so far."""

    answered: float  # calls that were answered, be it that the image is refused
    failed: float  # calls that provider, account or the way to an image failed
    refused: float  # of those, the account's refusals
    not_brought: float = 0.0  # of those, images for which the proxy that they are fetched through failed

    @classmethod
    def of(cls, registry: CollectorRegistry) -> Self:
        """Read the metrics that the layers count in."""

        def total(name: str, **labels: str) -> float:
            return registry.get_sample_value(name, labels) or 0.0

        failures = {kind: total("moderation_call_failures_total", kind=kind) for kind in kinds()}
        # Of the same kind as an image that cannot be fetched, which is an answer.
        proxy_away = total("moderation_images_fetched_total", outcome=_PROXY_AWAY)
        return cls(
            answered=total("moderation_calls_billed_total")
            + sum(count for kind, count in failures.items() if kind not in _AWAY)
            - proxy_away,
            failed=sum(failures[kind] for kind in _AWAY) + proxy_away,
            refused=sum(failures[kind] for kind in _REFUSED),
            not_brought=proxy_away,
        )


class Patience:
    """Waits for an answer."""

    def __init__(self, seconds: float) -> None:
        """`seconds` without any answer are too many."""
        self._seconds = seconds
        self._at_answer = Reading(0.0, 0.0, 0.0)
        self._looked: float | None = None
        self._waited = 0.0  # since something failed, with no answer since

    def look(self, reading: Reading, now: float) -> str | None:
        """Say why there is nothing to wait for any more, or None."""
        elapsed = 0.0 if self._looked is None else min(now - self._looked, LONGEST_LOOK)
        self._looked = now
        before = self._at_answer
        if reading.answered > before.answered or reading.failed == before.failed:
            self._at_answer, self._waited = reading, 0.0
            return None
        self._waited += elapsed
        if reading.refused - before.refused >= REFUSALS and self._waited >= SETTLED:
            return "the account is refused"
        if self._waited >= self._seconds:
            is_proxy = reading.failed - before.failed == reading.not_brought - before.not_brought
            who = "the proxy of images.proxy" if is_proxy else "the provider"
            return f"{who} has answered nothing for {self._waited:.0f} s"
        return None
