"""Say how the tests of a policy ended, as a test runner does."""

from collections.abc import Iterator, Sequence

import orjson

from consumer.policy_files.fixtures import Ended


def as_json(ended: Sequence[Ended]) -> str:
    """An object for each test, a line each."""
    rows = ({"name": each.name, "passed": each.passed, "differences": each.differences} for each in ended)
    return "\n".join(orjson.dumps(row).decode() for row in rows)


def as_text(ended: Sequence[Ended]) -> str:
    """For people."""
    return "\n".join(_lines(ended))


def _lines(ended: Sequence[Ended]) -> Iterator[str]:
    for each in ended:
        yield f"{'✓' if each.passed else '✗'} {each.name}" + ("" if each.passed else f"  ({each.place})")
        yield from (f"    {difference}" for difference in each.differences)
    failed = sum(not each.passed for each in ended)
    yield f"{len(ended)} tests: {failed} failed" if failed else f"{len(ended)} tests: all passed"
