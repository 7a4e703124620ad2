"""
Small faults put into the core, one at a time, and whether the tests find them.

    python -m bench.mutations               all of them, a few minutes
    python -m bench.mutations ownership     those whose file or change has this in it

Each is a text of a file that is replaced by another in a copy of the project, in which the named tests are run. One
that no test finds is a test that is missing.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
TIMEOUT = 120.0  # seconds, for the tests of a fault; one that hangs is found


class Fault(NamedTuple):
    """One change, and where its tests are."""

    file: str
    before: str
    after: str
    tests: str


FRAMES = "tests/moderation/test_many_pictures.py"
PREPARING = " ".join(f"tests/images/preparing/test_{name}.py" for name in ("plan", "wire", "decoding"))
RULES, CONDITIONS = "tests/policy/test_rules.py tests/policy/test_oracle.py", "tests/policy/test_conditions.py"
FETCHING, STORES = "tests/moderation/test_fetching.py", "tests/images/stores/test_reading.py"
OWNERSHIP, TAKEOVER = "tests/intake/test_ownership.py", "tests/intake/test_source.py"
BUGS = "tests/reviews/test_bugs.py"
FAULTS = (
    Fault("intake/ownership.py", "session_timeout - MARGIN", "session_timeout + MARGIN", OWNERSHIP),
    Fault("intake/ownership.py", "if had_by_others or partition", "if partition", OWNERSHIP),
    Fault("intake/ownership.py", "if each in self._states}", "}", OWNERSHIP),
    Fault("intake/ownership.py", "Owner.UNCERTAIN if self.epoch(partition) == epoch else Owner.ANOTHERS",
          "Owner.UNCERTAIN", OWNERSHIP),
    Fault("intake/ownership.py", "max(self._proven, sent_at)", "sent_at", OWNERSHIP),
    Fault("intake/ownership.py", "dict.fromkeys(self._states, State.RELEASED)", "{}", OWNERSHIP),
    Fault("intake/ownership.py", "is State.OWNED and self.epoch(partition) == epoch", "is State.OWNED", OWNERSHIP),
    Fault("intake/ownership.py", "self._last_epoch += 1", "self._last_epoch = 1", OWNERSHIP),
    Fault("intake/takeover.py", "if partition not in self._restarted}", "}", TAKEOVER),
    Fault("intake/takeover.py", "for partition in taken if partition not in self._restarted]",
          "for partition in taken]", TAKEOVER),
    Fault("intake/takeover.py", "set(self._partitions.ownership.remembered) - self._partly_known",
          "set(self._partitions.ownership.remembered)", TAKEOVER),
    Fault("intake/takeover.py", "while not await self._committer.commit():", "while False:", TAKEOVER),
    Fault("intake/takeover.py", "had_by_others=start.others", "had_by_others=False", TAKEOVER),
    Fault("intake/takeover.py", "each.limit, each.unknown_since = limit, start.since", "pass", TAKEOVER),
    Fault("intake/takeover.py", "Start(each.ledger.watermark, BEGINNING, others=True)",
          "Start(each.ledger.watermark, BEGINNING)", TAKEOVER),
    Fault("intake/takeover.py", "self._lease.committed(self._partitions.ownership.proven)", "pass", TAKEOVER),
    Fault("intake/partitions.py", "(State.PREPARED, State.OWNED)", "(State.OWNED,)", TAKEOVER),
    Fault("intake/partitions.py", "offset < each.limit and not", "not", TAKEOVER),
    Fault("intake/committer.py", "max(0.0, earliest - behind)", "max(0.0, earliest)", "tests/intake/test_committer.py"),
    Fault("intake/committer.py", ", unknown_since)", ")", "tests/intake"),
    Fault("journal/commit_metadata.py", "floor(self.journal_from * 1000) / 1000", "self.journal_from",
          "tests/journal/test_commit_metadata.py"),
    Fault("journal/commit_metadata.py", "None if commit.owner == owner else commit.journal_from", "commit.journal_from",
          "tests/journal tests/intake/test_recovery.py"),
    Fault("intake/starts.py", "Start(found.offset, BEGINNING, others=True",
          "Start(found.offset, None, others=True", TAKEOVER),
    Fault("journal/commits.py", "return found if self.keyring.is_seal(", "return found if self.keyring or (",
          "tests/journal/test_commits.py"),
    Fault("intake/bases.py", "and each.at >= said_since", "", "tests/intake/test_foreign_commits.py"),
    Fault("journal/headers.py", "if headers.get(GROUP) != group.encode():", "if False:", "tests/journal"),
    Fault("journal/headers.py", 'topic="dlq_source_topic"', 'topic="source_topic"', "tests/journal tests/verdicts"),
    Fault("dispatch/gate.py", "if share.lease != grant.lease or not share.total:", "if not share.total:",
          "tests/dispatch"),
    Fault("dispatch/gate.py", "while waiting and self._pace.earliest() <= now:", "while waiting:", "tests/dispatch"),
    Fault("dispatch/gate.py", "            self._turn_away()\n", "", "tests/dispatch"),
    Fault("dispatch/quota.py", "if sent_at >= self._assigned_at:", "if True:", "tests/dispatch"),
    Fault("dispatch/quota.py", "now + self._window)", "now)", "tests/dispatch"),
    Fault("dispatch/quota.py", "if contradicted.intersection(due.topics):", "if False:", "tests/dispatch"),
    Fault("dispatch/flows.py", "(self._held_by_topic[each.topic], self._held[each])", "self._held[each]",
          "tests/dispatch/test_flows.py"),
    Fault("dispatch/flows.py", "        if self._first:\n", "        if False:\n", "tests/dispatch/test_flows.py"),
    Fault("dispatch/hosts.py", "> MOST_FAILED and others_are_fetched", "> MOST_FAILED", "tests/dispatch/test_hosts.py"),
    Fault("dispatch/flows.py", "self._waiting[flow] = self._waiting.pop(flow)", "pass", "tests/dispatch/test_flows.py"),
    Fault("ordering.py", "[each for each in previous if each in wanted]", "[]", "tests/test_ordering.py"),
    Fault("moderation/retries.py", "failure.retry_after + backoff * dice", "backoff * dice", "tests/moderation"),
    Fault("moderation/retries.py", ">= policy.attempts and others", ">= policy.attempts or others", "tests/moderation"),
    Fault("moderation/fetching.py", "if not is_as_claimed or any(", "if any(", "tests/moderation/test_uploaded.py"),
    Fault("moderation/fetching.py", "any(copy.sha256 != sha256 for copy in copies.judged)", "False",
          "tests/moderation/test_uploaded.py"),
    Fault("moderation/uploaded.py", "call.copies.forget(self._region, wanted.nth)\n            raise", "raise",
          "tests/moderation/test_uploaded.py"),
    Fault("moderation/uploaded.py", "copy is not None and not call.copies.goes_with(copy)", "False", FRAMES),
    Fault("moderation/uploaded.py", "if not call.copies.holds(self._region, location, now):", "if False:",
          "tests/moderation/test_uploaded.py"),
    Fault("moderation/uploaded.py", "or known.sha256 != image.sha256", "", FRAMES),
    Fault("moderation/uploaded.py", "if call.copies.in_region(self._region, self._clock.now(), wanted.nth) is None:",
          "if True:", FRAMES),
    Fault("moderation/copies.py", "return copy if copy is not None and now < copy.until else None", "return copy",
          "tests/moderation/test_uploaded.py"),
    Fault("moderation/copies.py", "if each == nth), None)", "), None)", FRAMES),
    Fault("moderation/assess.py", "seen=min(", "seen=max(", FRAMES),
    Fault("moderation/assess.py", "asked, paid=True)", "asked)", FRAMES),
    Fault("moderation/fetching.py", "                                room.shrink(0)\n", "", FRAMES),
    Fault("moderation/fetching.py", "                            busy.give_back()\n", "", FRAMES),
    Fault("images/preparing/plan.py", "if problem is None and (", "if problem is None or (", PREPARING),
    Fault("images/preparing/plan.py", "wanted.scales and (wanted.converts or", "wanted.scales or (wanted.converts and",
          PREPARING),
    Fault("images/preparing/wire.py", "len(pictures) > job.frames or", "", PREPARING),
    Fault("images/preparing/wire.py", "> job.most_prepared", "> 2 * job.most_prepared", PREPARING),
    Fault("images/preparing/decoding.py", "if not job.scales:\n            break", "if False:\n            break",
          PREPARING),
    Fault("images/preparing/decoding.py", ", found <= MOST_FRAMES", ", True", PREPARING),
    Fault("images/preparing/decoding.py", "scaled = scaled or is_smaller or is_smaller_yet", "scaled = is_smaller_yet",
          PREPARING),
    Fault("images/preparing/workers.py", "room.shrink(sum(", "max(sum(", "tests/images/preparing/test_workers.py"),
    Fault("images/frames.py", "nth * (count - 1) // (most - 1)", "nth * count // most", PREPARING),
    Fault("moderation/regions.py", "if only_copies and", "if False and", "tests/moderation/test_uploaded.py"),
    Fault("moderation/regions.py", "return failure.sorted_as(CopyUnreachable)", "return failure",
          "tests/moderation/test_uploaded.py"),
    Fault("moderation/paced.py", "call.before_sending = call.after_sending = None", "pass",
          "tests/moderation/test_garbage.py"),
    Fault("errors.py", "each.__traceback__ = None", "pass", "tests/http/test_freed.py"),
    Fault("dispatch/concurrency.py", "min(AHEAD * self.size, MOST_AHEAD)", "AHEAD * self.size",
          "tests/dispatch/test_concurrency.py"),
    Fault("intake/source.py", "if held or readable < assigned or", "if readable < assigned or", TAKEOVER),
    Fault("commands/check/sizing.py", "if held < 2 * calls:", "if held < calls:",
          "tests/commands/test_check_figures.py"),
    Fault("moderation/copies.py", "and len(same) == 1", "", "tests/moderation/test_copies.py"),
    Fault("moderation/retries.py", "attempt - throttled >= policy", "attempt >= policy", FETCHING),
    Fault("moderation/retries.py", "throttled >= BUSY_ATTEMPTS and", "False and", FETCHING),
    Fault("moderation/regions.py", "_Line(request.service, not (copies and call.copies.only_these), tuple(copies))",
          "_Line(request.service)", FETCHING),
    Fault("moderation/uploaded.py", "call.unreachable = call.throttled = 0", "pass", FETCHING),
    Fault("moderation/fetching.py", "await turn.take(self._origins.of(location.source), self._waits, first=call.paid)",
          "pass", FETCHING),
    Fault("moderation/fetching.py", "if not origin.may_be_asked():", "if False:", FETCHING),
    Fault("moderation/fetching.py", "elif isinstance(error, NotFetched) and error.answered:", "else:", FETCHING),
    Fault("moderation/fetching.py", "if await self._gives_another(source, failure, call):", "if False:", FETCHING),
    Fault("moderation/origins.py", "AT_ONCE = 3", "AT_ONCE = 300", FETCHING),
    Fault("moderation/origins.py", "self._allowed += 1", "pass", FETCHING),
    Fault("images/stores/failures.py", "if code == DENIED and names_endpoint:", "if False:", STORES),
    Fault("images/stores/failures.py", " or (not code and status != _UNAUTHORIZED)", "", STORES),
    Fault("images/stores/failures.py", "if code in THROTTLED or status in _THROTTLED:", "if False:", STORES),
    Fault("images/stores/reader.py", "and not self._watch.has_given(wanted)", "", STORES),
    Fault("images/stores/reader.py", "elif error.answered:", "else:", STORES),
    Fault("images/stores/reader.py", "self._watch.forget(wanted)", "pass", STORES),
    Fault("images/stores/watch.py", "and trouble.keys == {wanted.key}", "", STORES),
    Fault("images/guard.py", "if word:", "if False:", "tests/images/test_fetch.py"),
    Fault("images/held.py", "if self.taken + count > self.most:", "if False:", "tests/images/test_held.py"),
    Fault("policy/decide.py", "default=Decision.REVIEW)", "default=Decision.PASS)", "tests/policy"),
    Fault("policy/decide.py", "policy.on_error.get(failure.kind, Decision.REVIEW)",
          "policy.on_error.get(failure.kind, Decision.PASS)", "tests/policy"),
    Fault("policy/ready.py", "return level in RANK or self.then is not Decision.PASS", "return True", RULES),
    Fault("policy/effective.py", "strictest.strictness > decided.strictness", "False", RULES),
    Fault("policy/effective.py", "if label in NEVER_MATCHED:", "if False:", RULES),
    Fault("policy/effective.py", "(not decided or rule.is_pinned)", "not decided", RULES),
    Fault("policy/effective.py", "decided = decided or rule.always", "decided = True", RULES),
    Fault("policy/effective.py", "not matching[counting].counts_for(image)", "False", "tests/policy"),
    Fault("rollout.py", ", _REWRITTEN)", ",)", "tests/policy"),
    Fault("policy/effective.py", "for overlay in reversed(overlays):", "for overlay in overlays:", RULES),
    Fault("policy/effective.py", " if rule.until > now]", "]", RULES),
    Fault("policy/effective.py", "rule.until > now", "rule.until >= now", RULES),
    Fault("policy/effective.py", "over = bisect_right(self.ends, now)", "over = 0", RULES),
    Fault("policy/ready.py", "hits.keyword_libraries if label.endswith(TEXT_LIBRARY) else ", "", CONDITIONS),
    Fault("policy/ready.py", "label == ALLOWLISTED or ", "", CONDITIONS),
    Fault("policy/ready.py", "(isinstance(value, bool), value)", "(False, value)", CONDITIONS),
    Fault("policy/decide.py", '{} if "context" in submission.omitted else ', "", CONDITIONS),
    Fault("policy/language.py", 'if self.then == "pass" and not self.match.label:', "if False:", CONDITIONS),
    Fault("policy/contradictions.py", "(own is None or own in laid) and ", "", CONDITIONS),
    Fault("policy/ready.py", "confidence is not None and self.low <= confidence",
          "confidence is None or self.low <= confidence", RULES),
    Fault("policy/patterns.py", "for each in only_exactly if each.startswith(first)", "for each in ()", RULES),
    Fault("policy/patterns.py", 'rf"(?s)(?!{taken_away}\\Z){wanted}" if taken_away else ', "", RULES),
    Fault("policy/language.py", 'if self.pin and self.then == "pass":', "if False:", RULES),
    Fault("reviews/carrying.py", "may_end=ends)", "may_end=True)", BUGS),
    Fault("reviews/carrying.py", "if is_signed:", "if False:", BUGS),
    Fault("unexpected.py", "if may_end and (judged", "if (judged", BUGS),
    Fault("unexpected.py", "self._longest and not self.is_halted", "self._longest", "tests/test_unexpected.py"),
    Fault("holding.py", ", self.aside(delivery):", ":", BUGS),
    Fault("alibaba/scan/batched.py", "copy.is_counted, is_counted = is_counted, False", "copy.is_counted = is_counted",
          "tests/alibaba/scan/test_batched.py"),
    Fault("http/exchange.py", "most_bytes(images)", "most_bytes(1)", "tests/alibaba/scan/test_asynchronous.py"),
    Fault("background.py", "            self._stop(ended)\n        log", "            pass\n        log",
          "tests/test_background.py"),
    Fault("background.py", "        for ended in self._ended.values():\n            stop(ended)\n", "",
          "tests/test_background.py"),
    Fault("service.py", "            self._failed.set_exception(error)", "            pass",
          "tests/test_background.py"),
    Fault("feedback/sending.py", ", return_exceptions=True)", ")", "tests/feedback/test_sending.py"),
)  # fmt: skip


def is_found(fault: Fault, project: Path) -> bool:
    """Whether the tests fail with the fault in a copy of the project, which is as it was afterwards."""
    path = project / "consumer" / fault.file
    text = path.read_text()
    if text.count(fault.before) != 1:
        raise SystemExit(f"{fault.file}: {fault.before!r} stands there {text.count(fault.before)} times, not once")
    path.write_text(text.replace(fault.before, fault.after))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "not kafka and not scenario", *fault.tests.split()]
    try:
        done = subprocess.run(command, cwd=project, capture_output=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(text)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{fault.file}: the tests did not run:\n{done.stdout.decode()[-2_000:]}")
    return done.returncode == 1


def main() -> int:
    """Say of each fault whether it is found; 1 where one is not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="parts of a file's name or of a change")
    only = parser.parse_args().only
    faults = [each for each in FAULTS if not only or any(part in " ".join(each) for part in only)]
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(ROOT, project, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        for fault in faults:
            found = is_found(fault, project)
            missed += not found
            change = f"{' '.join(fault.before.split())} → {fault.after or 'nothing'}"
            print(f"{'found ' if found else 'MISSED'}  {fault.file}: {change}", flush=True)
    print(f"{len(faults) - missed} of {len(faults)} found")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
