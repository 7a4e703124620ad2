"""
What is counted of the policy, of what labels mean to it, and of what looks after both.

`metrics.py` has all of it beside all others.
"""

from prometheus_client import Counter, Gauge

from consumer.observability.declaring import declared as _declared

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
