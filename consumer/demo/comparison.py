"""Whether everything came to what it must: outcomes against expectations, and the figures that must hold. Pure."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumer.demo.outcomes import Fetched, Outcome, Place, Seen, Tally

_RISK_LEVELS = frozenset({"none", "low", "medium", "high"})


@dataclass(slots=True)
class Row:
    """The uploads of one kind that should come to one outcome."""

    kind: str
    expected: Outcome
    wanted: int = 0
    right: int = 0
    missing: int = 0
    repeated: int = 0
    instead: Counter[Outcome] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Whether each came to it, once."""
        return self.right == self.wanted and not self.repeated

    def problems(self) -> Iterator[str]:
        """Say what is not as expected."""
        if self.missing:
            yield f"{self.missing} missing"
        if self.repeated:
            yield f"{self.repeated} more than once"
        for outcome, count in sorted(self.instead.items()):
            yield f"{count} × {outcome} instead"


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure, and what it should be."""

    name: str
    expected: int
    seen: int
    slack: int = 0
    """How far it may be off, for a reason that is not the service's."""
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is, give or take the slack."""
        return abs(self.seen - self.expected) <= self.slack


@dataclass(frozen=True, slots=True, kw_only=True)
class Charges:
    """What the provider counted of the account's calls."""

    calls: int
    last_second: int
    busiest_second: int
    refused: int
    """As over the quota."""
    billed: int
    uploaded: int
    """Pictures that its temporary store took."""


def compare(tally: Tally, kinds: Sequence[str]) -> list[Row]:
    """Hold every upload against its outcomes: a row for each kind, in the order of `kinds`, and expected outcome."""
    rows: dict[tuple[str, Outcome], Row] = {}
    for source, published in tally.published.items():
        upload = published.upload
        for image, expected in upload.expected.items():
            row = rows.setdefault((upload.kind, expected), Row(upload.kind, expected))
            row.wanted += 1
            if not upload.ignored:
                _count(row, [seen.outcome for seen in tally.seen.get(source, ()) if seen.image == image])
    for row in rows.values():
        if row.expected.place is Place.IGNORED:
            counted = tally.ignored[row.expected.why]
            row.right = min(counted, row.wanted)
            row.missing = row.wanted - row.right
            row.repeated = counted - row.right
    return sorted(rows.values(), key=lambda row: kinds.index(row.kind))


def _count(row: Row, seen: Sequence[Outcome]) -> None:
    row.right += list(seen) == [row.expected]
    row.missing += not seen
    row.repeated += len(seen) > len(set(seen))
    row.instead.update(set(seen) - {row.expected})


def strays(tally: Tally) -> int:
    """Count the outcomes that nothing asked for: of no upload, of no image of it, or of one that is to be ignored."""
    asked = {
        (source, image)
        for source, published in tally.published.items()
        if not published.upload.ignored
        for image in published.upload.expected
    }
    reasons = {
        outcome.why
        for published in tally.published.values()
        if published.upload.ignored
        for outcome in published.upload.expected.values()
    }
    outcomes = sum((source, each.image) not in asked for source, seen in tally.seen.items() for each in seen)
    return outcomes + sum(count for reason, count in tally.ignored.items() if reason not in reasons)


def fetched(tally: Tally) -> int:
    """Count the images that the service was to fetch and whose verdict has their SHA-256."""
    return sum(each.sha256 == wanted.sha256 for wanted, each in _fetched(tally))


def decided_by_their_frame(tally: Tally) -> int:
    """Count the animations of which every frame was judged, and of which the one that matters decided alone."""
    return sum(each.frames == wanted.frames and each.deciding == {wanted.deciding} for wanted, each in _fetched(tally))


def _fetched(tally: Tally) -> Iterator[tuple[Fetched, Seen]]:
    """Pair what was to be fetched with what came of it."""
    for source in tally.published.keys() & tally.seen.keys():
        wanted = tally.published[source].upload.fetched
        yield from ((wanted[each.image], each) for each in tally.seen[source] if each.image in wanted)


def billed_again(tally: Tally, billed: Mapping[str, int]) -> int:
    """Count the images that were billed more often than they have frames; `billed` is by `dataId`, the verdict's id."""
    frames = {each.content["verdict_id"]: wanted.frames for wanted, each in _fetched(tally)}
    return sum(times > frames.get(data_id, 1) for data_id, times in billed.items())


def overtakings(tally: Tally) -> int:
    """
    Count the uploads with an outcome before an earlier upload of the same key and tenant had all of its own.

    Dead letters, of which no tenant is known, are held against dead letters.
    """
    last: dict[tuple[bytes, str | None], float] = {}
    count = 0
    for source in sorted(tally.published.keys() & tally.seen.keys()):
        key = tally.published[source].upload.key
        if key is None:
            continue
        moments: dict[str | None, list[float]] = {}
        for seen in tally.seen[source]:
            tenant = None if seen.outcome.place is Place.DEAD_LETTER else seen.content.get("tenant")
            moments.setdefault(tenant, []).append(seen.at)
        before = {tenant: last.get((key, tenant), -math.inf) for tenant in moments}
        count += any(min(each) < before[tenant] for tenant, each in moments.items())
        last.update({(key, tenant): max(before[tenant], *each) for tenant, each in moments.items()})
    return count


def held_up(tally: Tally, arrivals: Mapping[str, float]) -> float:
    """
    Return the longest time, in seconds, that an answered call was on its way from the service to the provider.

    `arrivals` are the provider's, in unix seconds by `dataId`, which is the verdict's id. Of calls that failed nobody
    knows when they departed.
    """
    return max(
        (
            arrivals[seen.content["verdict_id"]] - seen.called
            for several in tally.seen.values()
            for seen in several
            if seen.called is not None and seen.content["verdict_id"] in arrivals
        ),
        default=0.0,
    )


def calls_over_quota(refused: int, *, qps: int, jitter: float, held_up: float) -> Fact:
    """
    Excuse as many refused calls as a busy machine can have bunched.

    The service keeps its calls to `qps` in a second and `jitter`. What is held up for longer than the jitter arrives
    among the calls of the next second.
    """
    reason = f"this machine held calls up for {held_up * 1000:.0f} ms on their way; the service asked again later"
    return Fact("calls over the quota", 0, refused, slack=math.ceil(qps * max(0.0, held_up - jitter)), reason=reason)


def facts(
    tally: Tally, charges: Charges, over_quota: Fact, *, again: int, uncommitted: int, exit_code: int | None
) -> list[Fact]:
    """
    Gather what must hold beside the outcomes: `again` are the images that were billed again, and `exit_code` is None
    where the service is to go on.
    """
    judged = sum(
        outcome.why in _RISK_LEVELS
        for published in tally.published.values()
        for outcome in published.upload.expected.values()
    )
    private = [wanted for published in tally.published.values() for wanted in published.upload.fetched.values()]
    frames = sum(wanted.frames for wanted in private)
    animations = sum(wanted.deciding is not None for wanted in private)
    gathered = [
        Fact("calls billed (images and frames judged)", judged - len(private) + frames, charges.billed),
        Fact("images and frames billed more than once", 0, again),
        Fact("private images fetched (their verdicts have their sha256)", len(private), fetched(tally)),
        Fact("pictures of them uploaded to the provider (each frame is one)", frames, charges.uploaded),
        Fact("animations that were decided by their third frame", animations, decided_by_their_frame(tally)),
        over_quota,
        Fact("outcomes without an upload", 0, strays(tally)),
        Fact("verdicts that overtook an earlier one of their key and tenant", 0, overtakings(tally)),
        Fact("messages left uncommitted", 0, uncommitted),
    ]
    if exit_code is not None:
        gathered.append(Fact("exit code of the service", 0, exit_code))
    return gathered


def of_private_images(tally: Tally) -> Iterator[str]:
    """Say in words what became of the private images, where that is what it must be."""
    private = [wanted for wanted, _ in _fetched(tally)]
    yield f"{len(private)} images from a private bucket: fetched, uploaded, judged."
    animations = [wanted.frames for wanted in private if wanted.deciding is not None]
    if animations:
        yield f"{len(animations)} of them with {animations[0]} frames: each was judged, and the third decided."


def excuses(facts: Iterable[Fact]) -> Iterator[str]:
    """Say in words what is off within its slack, and why."""
    for fact in facts:
        if fact.ok and fact.seen != fact.expected:
            yield f"{fact.name}: {fact.seen} instead of {fact.expected}, because {fact.reason}"


def differences(rows: Iterable[Row], facts: Iterable[Fact]) -> Iterator[str]:
    """Say in words what is not as expected; nothing where everything is."""
    for row in rows:
        if not row.ok:
            yield f"{row.kind}, expected {row.expected}: {', '.join(row.problems())}"
    for fact in facts:
        if not fact.ok:
            yield f"{fact.name}: {fact.seen} instead of {fact.expected}"


def all_ok(rows: Iterable[Row], facts: Iterable[Fact]) -> bool:
    """Whether everything is as it must be."""
    return all(row.ok for row in rows) and all(fact.ok for fact in facts)


def percentile(rising: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of what rises, `share` from 0 to 1, or None of nothing."""
    return rising[max(0, math.ceil(len(rising) * share) - 1)] if rising else None
