"""
What is counted of images that this service fetches, prepares and uploads.

`metrics.py` has all of it beside all others.
"""

from prometheus_client import Counter, Gauge, Histogram

from consumer.observability.declaring import SECONDS as _SECONDS
from consumer.observability.declaring import declared as _declared

FETCHES_IN_FLIGHT = _declared(
    Gauge,
    "moderation_fetches_in_flight",
    "Images that this service fetches or uploads now. At its limit all the time: raise images.max_fetches.",
)
LANE_FETCHES_IN_FLIGHT = _declared(Gauge, "moderation_lane_fetches_in_flight", "The same, of a lane.", ["lane"])
LANE_FETCHES_WAITING = _declared(
    Gauge, "moderation_lane_fetches_waiting", "Images of a lane that wait to be fetched.", ["lane"]
)
IMAGE_BYTES_HELD = _declared(
    Gauge,
    "moderation_image_bytes_held",
    "Bytes of images that are fetched and not uploaded yet. Near its limit all the time: raise images.max_bytes_held.",
)
IMAGES_FETCHED = _declared(
    Counter,
    "moderation_images_fetched_total",
    "Images that this service fetched, or why it did not: `ok` or a code of the runbook, statuses as `http_5xx`.",
    ["outcome"],
)
WORKERS_BUSY = _declared(Gauge, "moderation_workers_busy", "At images.workers all the time: raise it, with the CPUs.")
IMAGES_PREPARED = _declared(
    Counter, "moderation_images_prepared_total", "Images given to workers: `ok`, or a code of the runbook.", ["outcome"]
)
UPLOADS = _declared(
    Counter,
    "moderation_uploads_total",
    "Images put into the provider's temporary store, by region, and `ok` or the kind of the failure.",
    ["region", "outcome"],
)
UPLOAD_TOKENS = _declared(
    Counter,
    "moderation_upload_tokens_total",
    "Calls for a token of the temporary store. More than a few an hour: the store refuses its own tokens, see the log.",
)
UPLOAD_SECONDS = _declared(
    Histogram,
    "moderation_upload_seconds",
    "Seconds that the temporary store and its tokens took to answer.",
    buckets=_SECONDS,
)
HOSTS_FAILING = _declared(
    Gauge,
    "moderation_hosts_failing",
    "Hosts whose images mostly could not be fetched while other hosts' could: calls about them wait among themselves.",
    ["topic"],
)
