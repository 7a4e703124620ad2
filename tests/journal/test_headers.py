from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from consumer.journal.headers import GROUP, OF_DEAD_LETTER, OF_VERDICT, Source, SourceHeaders
from consumer.records import SourceId
from tests.rig.events import delivery

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KINDS = st.sampled_from([OF_VERDICT, OF_DEAD_LETTER])


@given(KINDS, TEXTS, TEXTS, TEXTS, st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1))
def test_what_is_written_is_read(
    names: SourceHeaders, group: str, name: str, topic: str, partition: int, offset: int
) -> None:
    """
    The journal finds in an outcome's headers the source that they were written for, of its own group only.
    """
    read = replace(delivery(b"{}"), topic=topic, partition=partition, offset=offset)

    headers = dict(names.write(group, SourceId(name), read))

    assert names.read(group, headers) == Source(SourceId(name), read.topic_partition, offset)
    assert names.read(group + "x", headers) is None


@given(KINDS, st.data(), st.none() | st.binary(max_size=10))
def test_a_header_that_is_lost_or_foreign_is_no_source_of_ours(
    names: SourceHeaders, data: st.DataObject, content: bytes | None
) -> None:
    """
    Without any one of them, or with anything else in the place of one, nothing is raised.
    """
    headers: dict[str, bytes | None] = dict(names.write("g", SourceId("1"), delivery(b"{}")))
    name = data.draw(st.sampled_from(sorted(headers)))

    without = {each: value for each, value in headers.items() if each != name}
    names.read("g", headers | {name: content})

    assert names.read("g", without) is None


def test_an_output_of_ours_that_is_buried_is_read_as_the_dead_letter_that_it_is() -> None:
    """
    A dead letter keeps the headers of its message; where that was a verdict, both kinds stand side by side.
    """
    verdict = OF_VERDICT.write("g", SourceId("verdict"), replace(delivery(b"{}"), offset=1))
    letter = OF_DEAD_LETTER.write("g", SourceId("letter"), replace(delivery(b"{}"), offset=2))

    both = dict(verdict + letter)

    assert OF_DEAD_LETTER.read("g", both) == Source(SourceId("letter"), delivery(b"{}").topic_partition, 2)
    assert {name for name, _ in verdict} & {name for name, _ in letter} == {GROUP}
