"""
Decide as another does, but let people look at what would be blocked while too much is.
"""

from collections.abc import Iterable
from typing import Final

import structlog

from consumer.clock import Clock
from consumer.observability import metrics
from consumer.observability.harmless import harmless
from consumer.policy.block_shares import BlockLimits, BlockShares, Change
from consumer.policy.decide import Decide
from consumer.records import STRICTNESS, Assessment, Decision, Submission, Verdict

log = structlog.get_logger()

DECIDED_BY: Final = "breaker"
OTHERS: Final = "(others)"  # how the tenants are shown that share a count
MOST_SHOWN = 3  # tenants, in a reason


class MassActionBreaker:
    """Turns blocks into reviews, or their floors, while the breaker of their tenant is open. See `block_shares.py`."""

    def __init__(self, decide: Decide, limits: BlockLimits, clock: Clock) -> None:
        self._decide = decide
        self._limits = limits
        self._shares = BlockShares(limits)
        self._clock = clock

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """Reach the other's verdict; where it is a block that nothing pins, perhaps a review instead, or its floor."""
        verdict = self._decide(submission, assessment, now)
        is_block = verdict.decision is Decision.BLOCK
        subject = f"{submission.subject.type or ''}\0{submission.subject.id}"
        self._tell(self._shares.note(submission.tenant, subject, self._clock.now(), is_block=is_block))
        floor = Decision.REVIEW if verdict.floor is None else verdict.floor.decision
        if not is_block or floor is Decision.BLOCK or not self._shares.is_open(submission.tenant):
            return verdict
        held = max(Decision.REVIEW, floor, key=STRICTNESS.__getitem__)
        return verdict._replace(decision=held, decided_by=DECIDED_BY)

    def degraded(self) -> list[str]:
        """Say whose blocks are reviews at the moment."""
        self._tell(self._shares.look(self._clock.now()))
        if not (tenants := self._shares.open):
            return []
        shown = ", ".join(each or OTHERS for each in tenants[:MOST_SHOWN])
        whose = f"{shown} and {len(tenants) - MOST_SHOWN} more" if len(tenants) > MOST_SHOWN else shown
        return [f"breaker_of_blocks: more is blocked than usual: blocks are published as reviews, of {whose}"]

    def _tell(self, changes: Iterable[Change]) -> None:
        for change in changes:
            metrics.BREAKER_OF_BLOCKS.set(len(self._shares.open))
            with harmless("log"):
                log.warning(
                    "blocks.held_back" if change.is_open else "blocks.let_through",
                    tenant=OTHERS if change.tenant is None else change.tenant[:64], blocks=change.blocks,
                    images=change.images, share=self._limits.share, window=self._limits.window,
                )  # fmt: skip
