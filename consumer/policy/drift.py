"""
Notice what the vendor's pages do not promise: counted and logged, never a gate.

A label above the overall level, which the pages call the highest; a label that their list lacks. The set of labels is
open, and even the pages' own examples go beyond it.
"""

import structlog

from consumer.observability import metrics
from consumer.policy.decide import Decide, outranks_overall
from consumer.records import Assessment, ModerationResult, Submission, Verdict
from consumer.vendor_facts import scan
from consumer.vendor_facts.aliyun import LISTED, is_listed

log = structlog.get_logger()

MOST_LOGGED = 1_000  # labels, in a process
LONGEST_LOGGED = 128  # characters


class DriftWatch:
    """Decides as another does, and watches the answers for what the pages do not say."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._logged: set[str] = set()

    def decide(self, submission: Submission, assessment: Assessment, now: float) -> Verdict:
        """Reach the other's verdict, having looked at the answers it is about."""
        for answer in assessment.answers:
            self._watch(answer)
        return self._decide(submission, assessment, now)

    def _watch(self, answer: ModerationResult) -> None:
        if outranks_overall(answer):
            metrics.STRICTER_LABELS.inc()
        if answer.service not in LISTED and answer.service != scan.SERVICE:
            return
        for label in answer.labels:
            if not _is_listed(label.name, answer.service):
                metrics.UNKNOWN_LABELS.inc()
                self._log_once(label.name[:LONGEST_LOGGED], answer.service)

    def _log_once(self, label: str, service: str) -> None:
        if label not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged.add(label)
            log.info("label.unknown", label=label, service=service)


def _is_listed(label: str, service: str) -> bool:
    return label in scan.LISTED if service == scan.SERVICE else is_listed(label, service)
