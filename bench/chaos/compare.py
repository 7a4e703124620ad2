"""
Who was lost, paid or published twice, overtaken or kept waiting. Pure: what was left behind in, figures out.

Times are seconds since the epoch. An append is Kafka's LogAppendTime, which has whole milliseconds: what was appended
at 1.0004 says 1.000. So "not appended before" gives a verdict the benefit of its millisecond, never the other way.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from tests.rig.quick_provider.log import Arrival
from tests.rig.quick_provider.script import OK

_APPEND_RESOLUTION = 0.001


class Upload(NamedTuple):
    """One event, as it stands in its topic."""

    images: tuple[str, ...]
    """The URL of each image: no two in a run are the same."""

    key: bytes | None
    partition: int
    offset: int
    at: float


class Outcome(NamedTuple):
    """One verdict or dead letter, as it stands in its topic."""

    image: str
    id: str
    topic: str
    partition: int
    offset: int
    at: float
    key: bytes | None
    source: tuple[int, int]
    """Partition and offset of its event."""


class Evidence(NamedTuple):
    """All that a run left behind."""

    uploads: Sequence[Upload]
    calls: Sequence[Arrival]
    """About uploads."""

    outcomes: Sequence[Outcome]
    """The verdicts, without provisional ones: those are no outcomes."""

    dead_letters: int = 0
    provisional: Sequence[Outcome] = ()
    arrivals: Sequence[Arrival] = ()
    """All calls: those about canaries are not about uploads."""


def lost(evidence: Evidence) -> set[str]:
    """Return the images that have no outcome."""
    judged = {outcome.image for outcome in evidence.outcomes}
    return {image for upload in evidence.uploads for image in upload.images} - judged


def published_twice(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how often each id stands in the topics that stands there more than once."""
    return {name: count for name, count in Counter(outcome.id for outcome in outcomes).items() if count > 1}


def judged_under_two_ids(outcomes: Iterable[Outcome]) -> set[str]:
    """Return the images whose outcomes do not all carry the same id: nobody could tell that they are repeated."""
    ids = defaultdict(set)
    for outcome in outcomes:
        ids[outcome.image].add(outcome.id)
    return {image for image, those in ids.items() if len(those) > 1}


def billed_twice(calls: Iterable[Arrival]) -> dict[str, int]:
    """Return how often each image was billed that was billed more than once."""
    return {image: count for image, count in Counter(c.image for c in calls if c.code == OK).items() if count > 1}


def in_flight(calls: Iterable[Arrival], outcomes: Iterable[Outcome], caller: str, moment: float) -> set[str]:
    """
    Return the images that `caller` was asking about, or had an unpublished answer for, at `moment`.

    `calls` are its calls that had begun: all of a killed one, `begun_before_a_stop` of a suspended one. Their own
    stamps are not compared with `moment`, because a call under way may be stamped just after it.
    """
    appended = first_appends(outcomes)
    asked = {call.image for call in calls if call.caller == caller}
    return {image for image in asked if image not in appended or appended[image] + _APPEND_RESOLUTION > moment}


def begun_before_a_stop(calls: Iterable[Arrival], stopped: float, resumed: float) -> list[Arrival]:
    """
    Return the calls that had begun when a process was stopped (SIGSTOP), until it went on; moments in unix seconds.

    A call that was signed before, and whose bytes the process still held, arrives just after it goes on: between a last
    look and the write there is always a moment. What is signed later is not among them.
    """
    second = f"{datetime.fromtimestamp(stopped, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return [call for call in calls if call.at < resumed or "" < call.signed <= second]


def first_appends(outcomes: Iterable[Outcome]) -> dict[str, float]:
    """Return when each image's first outcome was appended."""
    appended: dict[str, float] = {}
    for outcome in outcomes:
        appended[outcome.image] = min(outcome.at, appended.get(outcome.image, outcome.at))
    return appended


class Overtaking(NamedTuple):
    """A verdict that came before that of an earlier event with the same key."""

    key: bytes
    earlier: Outcome
    later: Outcome


def overtakes(outcomes: Iterable[Outcome]) -> list[Overtaking]:
    """
    Return where a verdict of a key was published before one of an earlier event.

    Within one output topic, where a key has one partition, its offsets decide; across topics the append times do, and
    the same millisecond is no overtaking. Of a repeated verdict the first copy counts. A verdict is compared with
    that of all earlier events which came last.
    """
    by_key: dict[bytes, dict[str, Outcome]] = defaultdict(dict)
    for outcome in outcomes:
        if outcome.key is None:
            continue
        first = by_key[outcome.key].setdefault(outcome.id, outcome)
        if (outcome.at, outcome.offset) < (first.at, first.offset):
            by_key[outcome.key][outcome.id] = outcome
    found = []
    for key, firsts in by_key.items():
        latest: Outcome | None = None  # of all earlier events, the last that was published
        last_in: dict[str, Outcome] = {}  # and likewise in each topic
        for events in _by_source(firsts.values()):
            for outcome in events:
                before = last_in.get(outcome.topic)
                if before is not None and outcome.offset < before.offset:
                    found.append(Overtaking(key, before, outcome))
                elif latest is not None and outcome.at < latest.at:
                    found.append(Overtaking(key, latest, outcome))
            for outcome in events:
                if latest is None or outcome.at > latest.at:
                    latest = outcome
                if outcome.topic not in last_in or outcome.offset > last_in[outcome.topic].offset:
                    last_in[outcome.topic] = outcome
    return found


def _by_source(outcomes: Iterable[Outcome]) -> list[list[Outcome]]:
    """Group by event, in the order of the events: images of one event are free among themselves."""
    events: dict[tuple[int, int], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        events[outcome.source].append(outcome)
    return [events[source] for source in sorted(events)]


class Stall(NamedTuple):
    """A time in which no call arrived though images were waiting."""

    began: float
    seconds: float


def longest_stall(calls: Iterable[Arrival], uploads: Iterable[Upload]) -> Stall:
    """
    Return the longest gap between two calls while an image waited that nobody had asked about.

    A gap begins with the call before it, or with the upload that ended the time in which there was nothing to do. What
    comes before the first call is somebody's start, not a stall.
    """
    ordered = sorted(calls)
    appended = sorted(upload.at for upload in uploads for _ in upload.images)
    asked: set[str] = set()
    longest = Stall(0.0, 0.0)
    for call, following in pairwise(ordered):
        asked.add(call.image)
        if len(asked) >= len(appended):
            break
        # The images asked about are taken as the first uploaded: work has waited since the next one was there.
        began = max(call.at, appended[len(asked)])
        if following.at - began > longest.seconds:
            longest = Stall(began, following.at - began)
    return longest


class StepBack(NamedTuple):
    """A committed offset that was lower than one seen before."""

    partition: int
    before: int
    after: int


def steps_back(commits: Iterable[tuple[int, int]]) -> list[StepBack]:
    """Return where an offset was committed below the one before; `commits` are (partition, offset), as they came."""
    last: dict[int, int] = {}
    found = []
    for partition, offset in commits:
        before = last.get(partition, offset)
        if offset < before:
            found.append(StepBack(partition, before, offset))
        last[partition] = offset
    return found


def delays(evidence: Evidence, images: Collection[str] | None = None) -> list[float]:
    """Return the seconds from each event's append to each image's first verdict, of `images` or of all."""
    appended = first_appends(evidence.outcomes)
    return [
        appended[image] - upload.at
        for upload in evidence.uploads
        for image in upload.images
        if image in appended and (images is None or image in images)
    ]


def percentile(values: Iterable[float], share: float) -> float:
    """
    Return the smallest value that `share` of all do not exceed.

    Raises:
        ValueError: there are none.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("there is no percentile of nothing")
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def steady_rate(times: Iterable[float], edge: float = 0.1) -> float:
    """
    Return how many a second there were between the first and the last `edge` of all.

    Raises:
        ValueError: too few, or all at once.
    """
    ordered = sorted(times)
    margin = int(len(ordered) * edge)
    inner = ordered[margin : len(ordered) - margin]
    if len(inner) < 2 or inner[-1] <= inner[0]:
        raise ValueError(f"{len(ordered)} times make no rate")
    return (len(inner) - 1) / (inner[-1] - inner[0])


def count_between(times: Sequence[float], begins: float, ends: float) -> int:
    """Return how many of the sorted `times` lie in [begins, ends]."""
    return bisect_right(times, ends) - bisect_left(times, begins)


def growth(samples: Sequence[tuple[float, int]], settled: float, last: float = 10.0) -> tuple[int, int, float]:
    """
    Return the memory when it had settled, at the end, and their ratio.

    `samples` are seconds since the start and bytes. Each figure is a median over `last` seconds, those up to `settled`
    and those up to the end: one sample between two collections of garbage says little.

    Raises:
        ValueError: there are no samples around these times.
    """
    end = samples[-1][0] if samples else 0.0
    early = sorted(size for at, size in samples if settled - last <= at <= settled)
    late = sorted(size for at, size in samples if at >= end - last)
    if not early or end <= settled:
        raise ValueError(f"{len(samples)} samples over {end:.0f} s do not reach past {settled:.0f} s")
    first, final = early[len(early) // 2], late[len(late) // 2]
    return first, final, final / first
