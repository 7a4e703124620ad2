"""Openings and closings of breakers, for the log: a line at each change, and none in between."""

import structlog

from consumer.moderation.breaker import Breaker, State

log = structlog.get_logger()


class BreakerChanges:
    """Remembers what was said last of each breaker."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], tuple[State, float]] = {}  # by region and service: the state, and since when

    def look(self, region: str, service: str, breaker: Breaker, now: float) -> None:
        """Say so where the breaker's state is another than it was. To be called when a call has ended."""
        before, since = self._said.get((region, service), (State.CLOSED, now))
        if breaker.state is before:
            return
        about = {"region": region, "service": service}
        match breaker.state:
            case State.OPEN:
                cause = {"kind": breaker.cause.kind, "code": breaker.cause.code} if breaker.cause else {}
                log.warning("breaker.opened", **about, **cause)
            case State.RAMPING:
                log.info("breaker.ramping", **about, seconds=round(now - since, 3))
            case State.CLOSED:
                log.info("breaker.closed", **about, seconds=round(now - since, 3))
        # From the opening on, so that closing logs how long all of it took.
        self._said[region, service] = (breaker.state, now if before is State.CLOSED else since)
