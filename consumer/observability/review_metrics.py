"""
The metrics of `moderation-consumer feedback`; those of what it shares with the service are in `metrics.py`.
"""

from prometheus_client import Counter, Gauge

from consumer.observability.declaring import declared as _declared

REVIEWS = _declared(
    Counter,
    "moderation_reviews_total",
    "People's decisions, by decision and what became of them: final, escalated, dead_letter.",
    ["decision", "outcome"],
)
REVIEW_CONFLICTS = _declared(
    Counter,
    "moderation_review_conflicts_total",
    "Decisions about what was decided already: again (alike), contradicting (the same verdict, otherwise: the stricter "
    "counts), overruling (another verdict of the same content, otherwise: the later counts), superseded (another "
    "verdict has taken the place of the one that it names).",
    ["kind"],
)
REVIEWS_RESTATED = _declared(
    Counter,
    "moderation_reviews_restated_total",
    "Verdicts of machines that contradicted a remembered person, whose decision was published again, by that decision.",
    ["decision"],
)
REVIEWS_REMEMBERED = _declared(Gauge, "moderation_reviews_remembered", "People's decisions that are held in memory.")
REVIEWS_MEMORY_BYTES = _declared(Gauge, "moderation_reviews_memory_bytes", "Bytes of memory that they take.")
REVIEWS_FORGOTTEN = _declared(
    Gauge,
    "moderation_reviews_forgotten",
    "Decisions that were forgotten since the start because there were more than `reviews.most`: they hold no longer; "
    "and floors of newer verdicts beyond 100,000 uploads. Above 0: raise `reviews.most`.",
)
REVIEWS_NOT_BELIEVED = _declared(
    Counter,
    "moderation_reviews_not_believed_total",
    "Records that are not this service's and were left alone, by topic. Rises: somebody else writes there.",
    ["topic"],
)
