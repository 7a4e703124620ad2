"""
Patterns of labels and services: case-sensitive, `*` for any characters, `!` for what is taken away. Pure.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence


def compiled(patterns: Sequence[str], only_exactly: Collection[str] = ()) -> Callable[[str], object]:
    """
    Make a test of a name out of patterns, true where they are about it; without any, every name passes it.

    Names in `only_exactly` are matched by no `*`.
    """
    return _globs(patterns, only_exactly) if patterns else lambda name: True


def _globs(patterns: Sequence[str], only_exactly: Collection[str]) -> Callable[[str], object]:
    # One expression: what a label costs that nobody has met is asking each rule about it.
    wanted = _any_of([each for each in patterns if not each.startswith("!")], only_exactly)
    taken_away = _any_of([each[1:] for each in patterns if each.startswith("!")], only_exactly)
    return re.compile(rf"(?s)(?!{taken_away}\Z){wanted}" if taken_away else f"(?s){wanted}").fullmatch


def _any_of(patterns: Sequence[str], only_exactly: Collection[str]) -> str:
    either = [_glob(each, only_exactly) if "*" in each else re.escape(each) for each in patterns]
    return f"(?:{'|'.join(either)})" if either else ""


def _glob(pattern: str, only_exactly: Collection[str]) -> str:
    # Each `*` takes as little as it can and what it took stays taken: a long name is read once for each part.
    first, *middle, last = pattern.split("*")
    but = "".join(rf"(?!{re.escape(each)}\Z)" for each in only_exactly if each.startswith(first))
    parts = "".join(f"(?>.*?{re.escape(part)})" for part in middle if part)
    return f"{but}{re.escape(first)}{parts}.*{re.escape(last)}"


class PatternIndex:
    """
    Finds the lists of patterns that are about a name without asking each.

    What is exact in a pattern, its whole or the longer of its ends, leads to the few that may be.
    """

    def __init__(self, lists: Sequence[Sequence[str]], only_exactly: Collection[str] = ()) -> None:
        """As `compiled`, of each list."""
        self._is_about = [compiled(patterns, only_exactly) for patterns in lists]
        self._always: list[int] = []  # places of lists that are asked about every name
        names: defaultdict[str, list[int]] = defaultdict(list)
        starts: defaultdict[str, list[int]] = defaultdict(list)
        ends: defaultdict[str, list[int]] = defaultdict(list)
        for place, patterns in enumerate(lists):
            for pattern in patterns or ["*"]:
                if pattern.startswith("!"):
                    continue
                start, end = pattern.partition("*")[0], pattern.rpartition("*")[2]
                if "*" not in pattern:
                    names[pattern].append(place)
                elif not start and not end:
                    self._always.append(place)
                elif len(start) >= len(end):
                    starts[start].append(place)
                else:
                    ends[end].append(place)
        self._names: Mapping[str, Sequence[int]] = dict(names)
        self._starts = _by_length(starts)
        self._ends = _by_length(ends)

    def about(self, name: str) -> list[int]:
        """Return the places of the lists that are about a name, rising."""
        found = {*self._always, *self._names.get(name, ())}
        for length, by_start in self._starts:
            found.update(by_start.get(name[:length], ()))
        for length, by_end in self._ends:
            found.update(by_end.get(name[-length:], ()))
        return sorted(place for place in found if self._is_about[place](name))


def _by_length(places: Mapping[str, Sequence[int]]) -> list[tuple[int, Mapping[str, Sequence[int]]]]:
    lengths = sorted({len(text) for text in places})
    return [(length, {text: of for text, of in places.items() if len(text) == length}) for length in lengths]
