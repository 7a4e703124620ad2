"""
Every metric, declared once, with what an operator reads from it.
"""

from prometheus_client import Counter, Gauge, Histogram

# What counts is made of all that is declared, so it is imported from here.
from consumer.observability.declaring import DECLARED as DECLARED
from consumer.observability.declaring import Metrics as Metrics
from consumer.observability.declaring import count_in as count_in
from consumer.observability.declaring import declared as _declared

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

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
SHADOW_DISAGREEMENTS = _declared(
    Counter,
    "moderation_shadow_disagreements_total",
    "Verdicts that a rule in shadow or in a rollout, or (no rule) a policy in shadow, would have changed, and how.",
    ["rule", "decision", "instead_of"],
)
POLICY_RULES_EXPIRED = _declared(
    Gauge,
    "moderation_policy_rules_expired",
    "Rules of the policy that have expired and match nothing. Renew or remove them.",
)
BREAKER_OF_BLOCKS = _declared(
    Gauge,
    "moderation_breaker_of_blocks_open",
    "Tenants whose blocks are published as reviews, because more is blocked than breaker_of_blocks allows.",
)
CANARIES = _declared(
    Counter,
    "moderation_canaries_total",
    "Times that an image of `canaries` was asked about, by what came of it: `as_expected`, `missed` (known to be bad, "
    "and let through), `flagged` (known to be good, and not let through) or `unanswered`.",
    ["canary", "service", "region", "result"],
)
CANARIES_WRONG = _declared(
    Gauge,
    "moderation_canaries_wrong",
    "Images of `canaries` whose latest answer was wrong, by how: `missed` or `flagged`. Above 0: the account's items "
    "are not switched on as they were, or the provider's answers have changed.",
    ["result"],
)
POLICY_INFO = _declared(
    Gauge,
    "moderation_policy_info",
    "1 for the policy that decides, and for the one in shadow; 0 for those before them since the start. Replicas that "
    "differ for longer than a configuration map needs to arrive: one of them refuses it, or does not reload.",
    ["role", "id", "version", "sha256"],
)
POLICY_RELOADS = _declared(
    Counter,
    "moderation_policy_reloads_total",
    "Changes of the policy's files, by outcome: taken, refused.",
    ["outcome"],
)
POLICY_RELOAD_FAILED = _declared(
    Gauge,
    "moderation_policy_reload_failed",
    "1 while what the policy's files hold is refused and the policy before it decides. A restart would not start: mend "
    "the files, or put back those before. `/readyz` and the log's `policy.refused` say what is wrong.",
)
POLICY_UNSAFE = _declared(
    Gauge,
    "moderation_policy_unsafe",
    "What `policy lint` calls unsafe in the policies in force, as of when they were read. `policy.unsafe` in the log "
    "says what.",
)
STRICTER_LABELS = _declared(
    Counter,
    "moderation_stricter_labels_total",
    "Answers in which a label's own risk level was above the overall one. The stricter counted.",
)
UNKNOWN_LABELS = _declared(
    Counter,
    "moderation_unknown_labels_total",
    "Labels that the provider's list lacks. They are decided by their level, as all labels are; see whether your "
    "policy should say more.",
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
QUOTA_WITHHELD_SECONDS = _declared(
    Counter,
    "moderation_quota_withheld_seconds_total",
    "Seconds in which calls waited and none could leave, by what withheld them: `publishing` (Kafka acknowledges no "
    "outcomes), `lease` (no commit, a rebalance), `provider` (a breaker is open).",
    ["by"],
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
