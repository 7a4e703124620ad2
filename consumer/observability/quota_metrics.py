"""
What is counted of the quota, and of the lanes that share it.

`metrics.py` has all of it beside all others.
"""

from prometheus_client import Counter, Gauge

from consumer.observability.declaring import declared as _declared

QUOTA_QPS = _declared(
    Gauge, "moderation_quota_qps", "Calls a second that this replica may send, before throttling slows it."
)
QUOTA_RATE = _declared(
    Gauge,
    "moderation_quota_rate",
    "Calls a second that throttling leaves of `moderation_quota_qps`. Lower for long: other users of the account use "
    "the quota.",
)
QUOTA_LEASE_SECONDS = _declared(
    Gauge,
    "moderation_quota_lease_seconds",
    "Seconds until this replica stops calling unless a commit succeeds. Falls steadily: Kafka does not answer. 0 is no "
    "lease: a rebalance, or no partitions.",
)
LANE_SHARE = _declared(
    Gauge,
    "moderation_lane_share",
    "Calls a second that are reserved for a lane; other lanes may use them while it is idle.",
    ["lane"],
)
LANE_CALLS = _declared(
    Counter,
    "moderation_lane_calls_total",
    "Calls sent. Its rate divided by `moderation_lane_share` is how much a lane uses of its share.",
    ["lane"],
)
LANE_WAITING = _declared(
    Gauge, "moderation_lane_waiting", "Calls of a lane that hold a slot and wait for their moment.", ["lane"]
)
LANE_THROTTLED = _declared(
    Counter, "moderation_lane_throttled_total", "Calls of a lane that the provider throttled.", ["lane"]
)
LANE_RECORDS_HELD = _declared(
    Gauge, "moderation_lane_records_held", "Messages of a lane read and not settled.", ["lane"]
)
LANE_CALLS_IN_FLIGHT = _declared(Gauge, "moderation_lane_calls_in_flight", "Slots that a lane holds.", ["lane"])
LANE_CALLS_WAITING = _declared(
    Gauge, "moderation_lane_calls_waiting", "Calls of a lane that wait for a slot.", ["lane"]
)
QUOTA_WITHHELD_SECONDS = _declared(
    Counter,
    "moderation_quota_withheld_seconds_total",
    "Seconds in which calls waited and none could leave, by what withheld them: `publishing` (Kafka acknowledges no "
    "outcomes), `lease` (no commit, a rebalance), `provider` (a breaker is open).",
    ["by"],
)
