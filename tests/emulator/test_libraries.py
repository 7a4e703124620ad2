"""
What libraries say of an image in a 1.0 scan, and what makes a parameter wrong.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from consumer.emulator.errors import GatewayError
from consumer.emulator.libraries import Item, Library, LibraryStore, match
from consumer.emulator.library_operations import parameters_of, perform
from consumer.emulator.signatures import SignedRequest


def images(scene: str = "PORN", category: str = "BLACK", **more: Any) -> Library:
    items = {1: Item(1, "https://cdn/a.png", b"sample")}
    return Library(id=1, kind="image", name="n", category=category, scene=scene, items=items, **more)


def words(*, resource: str = "IMAGE", category: str = "BLACK", mode: str = "fuzzy", word: str = "Casino") -> Library:
    return Library(
        id=2,
        kind="keyword",
        name="n",
        category=category,
        resource_type=resource,
        lib_type="textKeyword",
        match_mode=mode,
        items={1: Item(1, word)},
    )


def said(*libraries: Library, scene: str, biz_type: str = "", texts: Sequence[str] = ()) -> str | None:
    found = match(libraries, scene, biz_type, texts, lambda content: content == b"sample")
    return found.suggestion if found else None


@pytest.mark.parametrize(("scene", "asked"), [("PORN", "porn"), ("AD", "ad"), ("ILLEGAL", "terrorism")])
def test_an_image_library_is_asked_in_its_scene_alone(scene: str, asked: str) -> None:
    """
    PORN, AD and ILLEGAL are the scenes porn, ad and terrorism.
    """
    scenes = ("porn", "terrorism", "ad", "qrcode", "live", "logo")

    assert [each for each in scenes if said(images(scene), scene=each)] == [asked]


def test_the_category_is_the_suggestion_and_the_strictest_wins() -> None:
    """
    BLACK blocks, REVIEW has people look, WHITE passes.
    """
    by_category = {each: images(category=each) for each in ("WHITE", "REVIEW", "BLACK")}

    assert [said(each, scene="porn") for each in by_category.values()] == ["pass", "review", "block"]
    assert said(*by_category.values(), scene="porn") == "block"


def test_business_scenarios_and_enable_decide_whether_it_is_asked() -> None:
    """
    A library of some scenarios says nothing to others; one that is off says nothing to anybody.
    """
    library = images(biz_types=("avatars",))

    assert said(library, scene="porn", biz_type="avatars") == "block"
    assert said(library, scene="porn", biz_type="posts") is None
    assert said(library, scene="porn") is None
    assert said(images(enable=False), scene="porn") is None
    assert said(images(), scene="porn", biz_type="posts") == "block"


def test_keywords_for_texts_and_voices_say_nothing_of_images() -> None:
    """
    Those of images speak in the scene ad alone.
    """
    texts = ["the casino is open"]

    assert [said(words(resource=each), scene="ad", texts=texts) for each in ("IMAGE", "TEXT", "VOICE")] == [
        "block",
        None,
        None,
    ]
    assert said(words(), scene="porn", texts=texts) is None


def test_fuzzy_finds_a_part_of_a_line_and_precise_the_whole() -> None:
    """
    Fuzzy without regard to case, precise with it.
    """
    assert said(words(), scene="ad", texts=["THE CASINO IS OPEN"]) == "block"
    assert said(words(mode="precise"), scene="ad", texts=["the Casino"]) is None
    assert said(words(mode="precise"), scene="ad", texts=["Casino"]) == "block"


def test_a_sample_that_was_not_looked_at_resembles_nothing() -> None:
    """
    Its bytes are not there yet.
    """
    library = images()
    library.items[1].content = None

    assert said(library, scene="porn") is None


IMAGE = {"Name": "n", "Category": "BLACK", "Scene": "PORN"}
WORDS = {
    "Name": "n", "Category": "BLACK", "ResourceType": "TEXT", "LibType": "similarText", "ServiceModule": "open_api"
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "changes", "code"),
    [
        ("CreateImageLib", {"Name": ""}, "MissingName"),
        ("CreateImageLib", {"Category": "black"}, "InvalidCategory"),
        ("CreateImageLib", {"Scene": "TERROR"}, "InvalidScene"),
        ("CreateImageLib", {"ServiceModule": "cip"}, "InvalidServiceModule"),
        ("CreateImageLib", {"BizTypes": "a,b"}, "InvalidBizTypes"),
        ("CreateImageLib", {"Enable": "yes"}, "InvalidEnable"),
        ("CreateKeywordLib", {"ServiceModule": None}, "MissingServiceModule"),
        ("CreateKeywordLib", {"ResourceType": "VIDEO"}, "InvalidResourceType"),
        ("CreateKeywordLib", {"LibType": "voiceText"}, "InvalidLibType"),
        ("CreateKeywordLib", {"ResourceType": "IMAGE"}, "InvalidLibType"),
        ("CreateKeywordLib", {"MatchMode": "exact"}, "InvalidMatchMode"),
        ("UpdateImageLib", {"Id": "7"}, "InvalidId"),
        ("DeleteKeywordLib", {}, "MissingId"),
        ("DescribeAuditRange", {}, "InvalidAction.NotFound"),
    ],
)
def test_a_wrong_parameter_is_named(action: str, changes: dict[str, str | None], code: str) -> None:
    """
    Nothing is created.
    """
    store = LibraryStore(10, "1")
    given = {**(WORDS if "Keyword" in action else IMAGE), **changes}

    with pytest.raises(GatewayError) as refused:
        perform(store, action, {name: value for name, value in given.items() if value is not None})

    assert (refused.value.code, store.all()) == (code, [])


def test_parameters_are_read_from_wherever_they_ride() -> None:
    """
    The query, a numbered list of a generic client, and the JSON body of the pages, whatever its content type says.
    """
    body = b'{"Name": "n", "BizTypes": ["a"], "Enable": true}'
    drawn = SignedRequest("POST", "/", "Action=CreateImageLib", (("Content-Type", "application/octet-stream"),), body)
    listed = SignedRequest("POST", "/", "Name=n&BizTypes.1=a&BizTypes.2=b", (), b"")

    assert parameters_of(drawn) == {"Action": "CreateImageLib", "Name": "n", "BizTypes": '["a"]', "Enable": "true"}
    assert parameters_of(listed) == {"Name": "n", "BizTypes": '["a","b"]'}
