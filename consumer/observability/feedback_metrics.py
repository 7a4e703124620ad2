"""What is counted of feedback to the provider; `metrics.py` has it beside all others."""

from prometheus_client import Counter

from consumer.observability.declaring import declared

FEEDBACK = declared(
    Counter,
    "moderation_feedback_total",
    "What became of feedback to the provider: `sent`, or why not; docs/operations.md says what each outcome asks for.",
    ["outcome"],
)
