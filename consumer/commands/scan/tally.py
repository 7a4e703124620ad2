"""What a scan has come to so far. Keeps the strictest results and counts the others. Values only."""

from collections import Counter

from consumer.commands.scan.lines import Result, strictest_first
from consumer.records import Decision


class Tally:
    """Counts results."""

    def __init__(self, total: int, most: int) -> None:
        """Of `total` images; `most` results are kept, the strictest."""
        self.total = total
        self.decisions: Counter[Decision] = Counter()
        self.told_of = 0
        self.from_state = 0
        self.not_judged = 0
        self.billed_calls = 0
        """Calls that this scan pays for."""
        self._most = most
        self._kept: list[Result] = []

    @property
    def left(self) -> int:
        """Images that were not told of."""
        return self.total - self.told_of

    @property
    def strictest(self) -> list[Result]:
        """The results that are kept, the strictest first."""
        self._kept.sort(key=strictest_first)
        del self._kept[self._most :]
        return list(self._kept)

    def told(self, result: Result) -> None:
        """Count a result."""
        self.told_of += 1
        self.decisions[result.decision] += 1
        self.from_state += result.from_state
        self.not_judged += bool(result.error)
        self.billed_calls += result.billed_calls
        self._kept.append(result)
        if len(self._kept) > 2 * self._most:
            self._kept = self.strictest
