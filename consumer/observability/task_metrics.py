"""Metrics of tasks, of a provider that is asked asynchronously. They are used from `metrics.py`, which has them too."""

from prometheus_client import Counter, Gauge

from consumer.observability.declaring import declared as _declared

OPEN_TASKS = _declared(
    Gauge,
    "moderation_scan_open_tasks",
    "Tasks that the provider has been given and has no result of yet, and images that are about to be one. At "
    "scan.max_open_tasks nothing more is asked: results take too long, or cannot be read; `/readyz` says the latter.",
)
SCAN_TASKS = _declared(
    Counter,
    "moderation_scan_tasks_total",
    "Tasks by what became of them: `opened`, `taken_over` from a replica that paid for them, `finished`, `in_vain` "
    "(paid for, and the provider has no result any more: the image is asked about anew), `unreadable` in the topic of "
    "tasks. A rise of `in_vain` after an outage longer than the provider keeps results is what it costs.",
    ["outcome"],
)
SCAN_CALLBACKS = _declared(
    Counter,
    "moderation_scan_callbacks_total",
    "Callbacks by what became of them: `woke` (its task is looked at now), `not_open` (another replica's, or answered "
    "already), `forged` (its checksum is not ours: check uid and seed, or somebody guesses), `unreadable`.",
    ["outcome"],
)
