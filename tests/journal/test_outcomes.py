import sys
import tracemalloc
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from consumer.journal import outcomes
from consumer.journal.outcomes import PackedOutcomes
from consumer.records import SourceId

OFFSETS = st.integers(0, 60)
IDS = st.sampled_from([SourceId(name) for name in ("", "a", "b", "ff" * 16, "é")])
TIMES = st.integers(0, 10_000_000).map(lambda milliseconds: milliseconds / 1000)


class Packed(RuleBasedStateMachine):
    """Beside a plain dictionary of moments by offset and id."""

    def __init__(self) -> None:
        super().__init__()
        self.packed = PackedOutcomes()
        self.plain: dict[tuple[int, SourceId], float] = {}

    @rule(offset=OFFSETS, outcome=IDS, at=TIMES)
    def add(self, offset: int, outcome: SourceId, at: float) -> None:
        self.packed.add(offset, outcome, at)
        self.plain[offset, outcome] = min(at, self.plain.get((offset, outcome), inf))

    @rule(offset=OFFSETS)
    def drop_below(self, offset: int) -> None:
        self.packed.drop_below(offset)
        self.plain = {key: at for key, at in self.plain.items() if key[0] >= offset}

    @rule(offset=OFFSETS)
    def drop_from(self, offset: int) -> None:
        self.packed.drop_from(offset)
        self.plain = {key: at for key, at in self.plain.items() if key[0] < offset}

    @rule(offset=OFFSETS, outcome=IDS)
    def contains(self, offset: int, outcome: SourceId) -> None:
        assert ((offset, outcome) in self.packed) == ((offset, outcome) in self.plain)

    @rule(offset=OFFSETS, other=OFFSETS)
    def looks_from_an_offset_on(self, offset: int, other: int) -> None:
        expected = min((at for (each, _), at in self.plain.items() if each >= offset), default=inf)
        # Rounding to milliseconds, and a block that has lost its earliest outcome, may only make it earlier.
        assert self.packed.earliest(offset) <= expected
        assert (self.packed.earliest(offset) == inf) == (expected == inf)
        assert self.packed.count(offset, other) == sum(offset <= each < other for each, _ in self.plain)

    @invariant()
    def holds_the_same(self) -> None:
        assert len(self.packed) == len(self.plain)
        assert [offset for offset, _ in self.packed] == sorted(offset for offset, _ in self.plain)
        assert [self.packed.offset_at(rank) for rank in range(len(self.packed))] == [each for each, _ in self.packed]


TestPacked = Packed.TestCase
TestPacked.settings = settings(max_examples=60, stateful_step_count=60)


class SmallBlocks(Packed):
    """Blocks of four, so that they split and go."""

    def __init__(self) -> None:
        outcomes.BLOCK = 4
        super().__init__()

    def teardown(self) -> None:
        outcomes.BLOCK = 512


TestSmallBlocks = SmallBlocks.TestCase
TestSmallBlocks.settings = settings(max_examples=60, stateful_step_count=60)


@given(st.permutations(range(40)))
def test_the_earliest_moment_is_exact_while_nothing_was_dropped(order: list[int]) -> None:
    """
    In whatever order they come; a commit's mark goes no further back than it must.
    """
    packed = PackedOutcomes()
    for offset in order:
        packed.add(offset, SourceId("a"), 100.0 + offset)

    assert [packed.earliest(offset) for offset in range(41)] == [100.0 + offset for offset in range(40)] + [inf]


def test_an_outcome_takes_130_bytes_or_less() -> None:
    """
    Dense or sparse, in order or in the disorder of several output partitions that are read at once.
    """
    count = 60_000
    orders = [range(count), range(0, count * 1_000, 1_000), [n // 2 + (n % 2) * count for n in range(count)]]
    for order in orders:
        tracemalloc.start()
        packed = PackedOutcomes()
        for offset in order:
            packed.add(offset, SourceId(f"{offset:032x}"), 1_763_632_801.123)
        size, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert size / count <= 130, f"{size / count} bytes on {sys.version}"
