"""
Every metric, declared once, with what an operator reads from it. Subjects with many have modules of their own; all are
used by their names here.
"""

from prometheus_client import Counter, Gauge, Histogram

from consumer.observability import review_metrics as review_metrics

# What counts is made of all that is declared, so it is imported from here.
from consumer.observability.declaring import DECLARED as DECLARED
from consumer.observability.declaring import SECONDS as _SECONDS
from consumer.observability.declaring import Metrics as Metrics
from consumer.observability.declaring import count_in as count_in
from consumer.observability.declaring import declared as _declared
from consumer.observability.feedback_metrics import FEEDBACK as FEEDBACK
from consumer.observability.image_metrics import FETCHES_IN_FLIGHT as FETCHES_IN_FLIGHT
from consumer.observability.image_metrics import HOSTS_FAILING as HOSTS_FAILING
from consumer.observability.image_metrics import IMAGE_BYTES_HELD as IMAGE_BYTES_HELD
from consumer.observability.image_metrics import IMAGES_FETCHED as IMAGES_FETCHED
from consumer.observability.image_metrics import IMAGES_PREPARED as IMAGES_PREPARED
from consumer.observability.image_metrics import LANE_FETCHES_IN_FLIGHT as LANE_FETCHES_IN_FLIGHT
from consumer.observability.image_metrics import LANE_FETCHES_WAITING as LANE_FETCHES_WAITING
from consumer.observability.image_metrics import UPLOAD_SECONDS as UPLOAD_SECONDS
from consumer.observability.image_metrics import UPLOAD_TOKENS as UPLOAD_TOKENS
from consumer.observability.image_metrics import UPLOADS as UPLOADS
from consumer.observability.image_metrics import WORKERS_BUSY as WORKERS_BUSY
from consumer.observability.policy_metrics import BREAKER_OF_BLOCKS as BREAKER_OF_BLOCKS
from consumer.observability.policy_metrics import CANARIES as CANARIES
from consumer.observability.policy_metrics import CANARIES_WRONG as CANARIES_WRONG
from consumer.observability.policy_metrics import POLICY_INFO as POLICY_INFO
from consumer.observability.policy_metrics import POLICY_RELOAD_FAILED as POLICY_RELOAD_FAILED
from consumer.observability.policy_metrics import POLICY_RELOADS as POLICY_RELOADS
from consumer.observability.policy_metrics import POLICY_RULES_EXPIRED as POLICY_RULES_EXPIRED
from consumer.observability.policy_metrics import POLICY_UNSAFE as POLICY_UNSAFE
from consumer.observability.policy_metrics import SHADOW_DISAGREEMENTS as SHADOW_DISAGREEMENTS
from consumer.observability.policy_metrics import STRICTER_LABELS as STRICTER_LABELS
from consumer.observability.policy_metrics import UNKNOWN_LABELS as UNKNOWN_LABELS
from consumer.observability.quota_metrics import LANE_CALLS as LANE_CALLS
from consumer.observability.quota_metrics import LANE_CALLS_IN_FLIGHT as LANE_CALLS_IN_FLIGHT
from consumer.observability.quota_metrics import LANE_CALLS_WAITING as LANE_CALLS_WAITING
from consumer.observability.quota_metrics import LANE_RECORDS_HELD as LANE_RECORDS_HELD
from consumer.observability.quota_metrics import LANE_SHARE as LANE_SHARE
from consumer.observability.quota_metrics import LANE_THROTTLED as LANE_THROTTLED
from consumer.observability.quota_metrics import LANE_WAITING as LANE_WAITING
from consumer.observability.quota_metrics import QUOTA_LEASE_SECONDS as QUOTA_LEASE_SECONDS
from consumer.observability.quota_metrics import QUOTA_QPS as QUOTA_QPS
from consumer.observability.quota_metrics import QUOTA_RATE as QUOTA_RATE
from consumer.observability.quota_metrics import QUOTA_WITHHELD_SECONDS as QUOTA_WITHHELD_SECONDS
from consumer.observability.task_metrics import OPEN_TASKS as OPEN_TASKS
from consumer.observability.task_metrics import SCAN_CALLBACKS as SCAN_CALLBACKS
from consumer.observability.task_metrics import SCAN_TASKS as SCAN_TASKS

MESSAGES = _declared(
    Counter,
    "moderation_messages_total",
    "Upload messages by what became of them: submitted, ignored or dead_letter, and why.",
    ["outcome", "reason"],
)
EVENTS = _declared(
    Counter,
    "moderation_events_total",
    "Messages read, by the format that they were recognised as. A rise of `unrecognised`: a producer sends what this "
    "release cannot read.",
    ["format"],
)
SUBMISSIONS = _declared(Counter, "moderation_submissions_total", "Images asked about: one message may carry many.")
VERDICTS = _declared(
    Counter,
    "moderation_verdicts_total",
    "Verdicts acknowledged by Kafka, by decision, and by what decided: the policy, the fallback or the breaker of "
    "blocks. A rise of `fallback` means images that could not be judged.",
    ["decision", "decided_by"],
)
PROVISIONAL_VERDICTS = _declared(
    Counter,
    "moderation_provisional_verdicts_total",
    "Images without an answer at their lane's deadline, by what became of their provisional verdicts: `published`, "
    "`refused` by the review topic, `failed` (a bug); `held_back` counts messages for which deadline.per_minute left "
    "no room at first. Rises: uploads wait too long for their answers.",
    ["lane", "outcome"],
)
CALLS_BILLED = _declared(
    Counter,
    "moderation_calls_billed_total",
    "Calls that the provider answered with Code 200; of its 1.0 API their scenes.",
)
CALL_FAILURES = _declared(
    Counter,
    "moderation_call_failures_total",
    "Calls without an answer, by what is done about them. `throttle`: the quota is used elsewhere too; `account`: "
    "correct the key or the permission; `provider`: the provider fails.",
    ["kind"],
)
ANSWERS_UNREADABLE = _declared(
    Counter,
    "moderation_answers_unreadable_total",
    "Answers that were not read: `too_large`, `content_encoding`, `not_http`, `transport`. Most likely a proxy or "
    "another host sent them, not the provider.",
    ["why"],
)
PROVIDER_NOT_REACHED = _declared(
    Counter,
    "moderation_provider_not_reached_total",
    "Calls that could not be sent, by the step that failed: `dns`, `connect`, `tls` or `proxy`. None is billed.",
    ["step"],
)
CALLS_MAYBE_BILLED = _declared(
    Counter,
    "moderation_calls_maybe_billed_total",
    "Calls whose answer never arrived: the provider may have charged for them.",
)
PROVIDER_SECONDS = _declared(
    Histogram, "moderation_provider_seconds", "From sending a call to its answer.", buckets=_SECONDS
)
QUEUE_SECONDS = _declared(
    Histogram,
    "moderation_queue_seconds",
    "From reading an event to its first call's departure. Near 0: the quota is not used up. High: uploads come faster "
    "than calls may be sent.",
    buckets=_SECONDS,
)
SECONDS_TO_VERDICT = _declared(
    Histogram, "moderation_seconds_to_verdict", "From reading an event to the acknowledged verdict.", buckets=_SECONDS
)
CALLS_IN_FLIGHT = _declared(
    Gauge,
    "moderation_calls_in_flight",
    "Calls sent or waiting for their moment. At its limit all the time: raise max_in_flight.",
)
IN_FLIGHT = _declared(
    Gauge,
    "moderation_in_flight",
    "Calls sent and verdicts being published. With the verdicts that wait behind their key (/offsets) it is what a "
    "crash would pay for again.",
)
PAID_IN_VAIN = _declared(
    Counter,
    "moderation_paid_in_vain_total",
    "Billed calls whose verdict was not published, because the partition went to another replica meanwhile. A rise: "
    "raise shutdown.drain_on_revoke.",
)
REDELIVERED_JOINED = _declared(
    Counter,
    "moderation_redelivered_joined_total",
    "Messages read again after a rebalance while they were still in flight.",
)
JOURNAL_READ = _declared(Counter, "moderation_journal_read_total", "Outcomes read back from the output topics.")
OUTCOMES_NOT_BELIEVED = _declared(
    Counter,
    "moderation_outcomes_not_believed_total",
    "Records in the output topics that name this group and that none of identity.keys signed (`unsigned`), or that "
    "name one of them falsely (`forged`). They are not taken for outcomes. Somebody else writes there.",
    ["reason"],
)
OUTCOMES_UNSIGNED = _declared(
    Counter,
    "moderation_outcomes_unsigned_total",
    "Unsigned outcomes that were believed, because of identity.accept_unsigned_until. Stays as it is once every one "
    "that is needed is signed.",
)
JOURNAL_SAVED = _declared(
    Counter,
    "moderation_journal_saved_total",
    "Outcomes that were published already: neither paid for nor published again.",
)
FOREIGN_COMMITS = _declared(
    Counter,
    "moderation_foreign_commits_total",
    "Partitions taken over whose commit was not this service's, by what became of that: rejudged from the last signed "
    "word about it, held, or accepted. Somebody else joins the group, or has reset its offsets.",
    ["action"],
)
JOURNAL_GIVEN_UP = _declared(
    Counter,
    "moderation_journal_given_up_total",
    "Times that reading the journal was ended early because of journal.on_limit: pay: some images may be paid for "
    "again.",
)
UPLOADS_LOST = _declared(
    Counter,
    "moderation_uploads_lost_total",
    "Offsets of a topic that were gone before they were read: retention deleted them, unjudged.",
    ["topic"],
)
OLDEST_OPEN_SECONDS = _declared(
    Gauge, "moderation_oldest_open_seconds", "Age of the oldest message without an outcome, from its reading on."
)
RETENTION_HEADROOM_SECONDS = _declared(
    Gauge,
    "moderation_retention_headroom_seconds",
    "Until Kafka may delete the oldest message that was read and has no outcome; NaN while the topic's retention is "
    "not known. Falls towards 0: raise retention.ms now.",
    ["topic"],
)
RECORDS_HELD = _declared(Gauge, "moderation_records_held", "Messages read and not settled.")
BYTES_HELD = _declared(Gauge, "moderation_bytes_held", "Bytes of the messages read and not settled.")
PARTITIONS = _declared(Gauge, "moderation_partitions", "Partitions assigned to this replica.")
PARTITIONS_PAUSED = _declared(
    Gauge, "moderation_partitions_paused", "Partitions that are paused because enough of their messages are held."
)
PARTITIONS_STUCK = _declared(
    Gauge,
    "moderation_partitions_stuck",
    "Partitions that are paused because too many outcomes are published beyond their lowest open record "
    "(journal.max_outcomes_per_partition).",
)
COMMIT_AGE = _declared(
    Gauge,
    "moderation_commit_age_seconds",
    "Since the last acknowledged commit, or the start. Above three kafka.commit_interval while there are partitions: "
    "Kafka does not accept commits, and no calls are sent once `moderation_quota_lease_seconds` is 0.",
)
COMMIT_FAILURES = _declared(
    Counter, "moderation_commit_failures_total", "Commits that Kafka refused or did not answer in time."
)
PUBLISH_RETRIES = _declared(
    Counter,
    "moderation_publish_retries_total",
    "Outcomes that Kafka did not acknowledge. They are looked for, and sent again.",
)
OUTCOMES_REFUSED = _declared(
    Gauge,
    "moderation_outcomes_refused",
    "Outcomes that their topics refuse; each holds up its own partition only. Above 0: `/readyz` names them and what "
    "to do.",
)
PUBLISHES_PENDING = _declared(Gauge, "moderation_publishes_pending", "Outcomes sent and not acknowledged.")
UNFORESEEN = _declared(
    Counter,
    "moderation_unforeseen_errors_total",
    "Bugs: an image met an unexpected error; the log's `submission.unexpected_error` has the place.",
)
INTERNAL_HELD = _declared(
    Gauge,
    "moderation_internal_held",
    "Images that met an unexpected error and are tried again; each goes to review once 20 others were judged.",
)
TELLING_FAILED = _declared(
    Counter,
    "moderation_telling_failed_total",
    "Log lines, spans and words of a policy in shadow that could not be written. Their messages are not affected.",
    ["what"],
)
LOG_LINES_LEFT_OUT = _declared(
    Counter,
    "moderation_log_lines_left_out_total",
    "Log lines that were left out, by logger: beyond ten a minute of an event and reason of ours (`consumer`), beyond "
    "one of a kind of other libraries'.",
    ["logger"],
)
DEGRADED = _declared(
    Gauge,
    "moderation_degraded",
    "Things that hold a part of this replica's work while the rest goes on; `/readyz` names each. Above 0 for minutes: "
    "an operator must act, although no probe fails.",
)
BATCHES_UNREADABLE = _declared(
    Counter,
    "moderation_batches_unreadable_total",
    "Batches of records that could not be read, by topic and why. Of the uploads each is a dead letter; of the outputs "
    "`batch_damaged` means that outcomes in it are not known when a partition changes hands.",
    ["topic", "why"],
)
PARTITIONS_HELD = _declared(
    Gauge,
    "moderation_partitions_held",
    "Partitions whose next batch is damaged: none of their uploads are judged. `/readyz` says which, and what to do.",
)
REFUSED_REQUESTS = _declared(
    Counter,
    "moderation_refused_requests_total",
    "Requests to the ports of probes and metrics that got no answer, by reason: not_http, too_long, too_slow, too_many "
    "connections at once. Rises: a port scanner, or a probe that speaks another protocol. failed is a bug.",
    ["why"],
)
