"""
What a plan decides: values in, steps and problems out.
"""

from consumer.libraries import Existing, Library, State
from consumer.libraries.file import Wanted
from consumer.libraries.lock import NO_LOCK, Locked
from consumer.libraries.plan import MOST_IMAGE_LIBRARIES, Allowed, plan


def image(name: str = "n", *biz_types: str) -> Library:
    return Library(kind="image", name=name, category="BLACK", scene="AD", biz_types=frozenset(biz_types))


def state(*libraries: Library) -> State:
    existing = [Existing(str(number), each) for number, each in enumerate(libraries)]
    return State(account="a" * 16, libraries=existing, scenarios=frozenset({"avatars"}), keywords={})


def test_a_business_scenario_that_does_not_exist_is_refused() -> None:
    """
    One that the file itself creates exists by then, and is created first.
    """
    wanted = [Wanted(image("n", "avatars", "posts"), ("image_libraries", "0"))]

    refused = plan(wanted, (), state(), NO_LOCK, 0.0, Allowed())
    created = plan(wanted, ("posts", "avatars"), state(), NO_LOCK, 0.0, Allowed())

    assert [each.keys for each in refused.problems] == [("image_libraries", "0", "biz_types")]
    assert (created.problems, [step.verb for step in created.steps]) == ([], ["scenario", "create"])


def test_two_of_one_name_are_nobodys() -> None:
    """
    Neither is taken, and no third is made.
    """
    planned = plan([Wanted(image(), ("image_libraries", "0"))], (), state(image(), image()), NO_LOCK, 0.0, Allowed())

    assert (planned.steps, ["2 image libraries of this name" in each.text for each in planned.problems]) == ([], [True])


def test_what_was_deleted_in_the_console_is_created_again() -> None:
    """
    And what the lock has besides is forgotten.
    """
    lock = NO_LOCK.model_copy(
        update={"libraries": (Locked(id="7", kind="image", name="n"), Locked(id="8", kind="image", name="old"))}
    )

    planned = plan([Wanted(image(), ("image_libraries", "0"))], (), state(), lock, 0.0, Allowed())

    assert [step.verb for step in planned.steps] == ["forget", "create"]
    assert "7 is not at the account any more" in planned.notes[0]


def test_more_image_libraries_than_the_page_allows_are_told_before() -> None:
    """
    An account may have been given more: it is a note.
    """
    full = [image(str(number)) for number in range(MOST_IMAGE_LIBRARIES)]

    planned = plan([Wanted(image(), ("image_libraries", "0"))], (), state(*full), NO_LOCK, 0.0, Allowed())

    assert planned.problems == []
    assert "with these 11" in planned.notes[0]
