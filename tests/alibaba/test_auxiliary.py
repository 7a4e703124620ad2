"""What an answer's `Ext` tells: libraries, people, logos and texts, as far as they may be told."""

import hashlib
from dataclasses import replace
from typing import Any

import orjson
import pytest

from consumer.alibaba.image_moderation import read_answer
from consumer.config.privacy import PrivacySettings
from consumer.hits import Box, FigureHit, Hits, LibraryHit, LogoHit
from tests.moderation.requests import request

EXTENSION = {
    "CustomImage": [
        {"LibId": "lib-2", "LibName": "secret two", "ImageId": "secret 22"}, {"LibId": "lib-1", "ImageId": 11},
        {"LibId": "lib-2", "LibName": "secret two", "ImageId": "secret 23"},
    ],
    "TextInImage": {
        "OcrResult": [{"Text": "secret one"}, {"Text": "secret two"}, {"Text": "secret one"}],
        "RiskWord": ["secret word"],
        "CustomText": [{"LibId": 7, "LibName": "secret list", "KeyWords": "secret key"}],
    },
    "PublicFigure": [
        {"FigureName": "secret name", "FigureId": "f-1", "Location": [{"X": 14, "Y": 999, "W": 13, "H": 520.5}]},
        {"FigureName": None, "FigureId": "f-2"},
    ],
    "LogoData": [
        {
            "Location": {"X": 45, "Y": 30, "W": 100, "H": 44},
            "Logo": [{"Label": "pt_logo", "Name": "secret", "Confidence": 88.18}],
        }
    ],
}  # fmt: skip
COUNTED = Hits(
    image_libraries=("lib-1", "lib-2"), keyword_libraries=("7",), public_figures=2, logos=("pt_logo",), text_lines=3,
    image_hits=(LibraryHit("lib-2"), LibraryHit("lib-1")), keyword_hits=(LibraryHit("7"),),
    logo_hits=(LogoHit("pt_logo", 88.18),), logo_names=("secret",),
)  # fmt: skip


def hits(extension: Any, **privacy: Any) -> Hits:
    """As they are read from an answer."""
    answer = orjson.dumps({"Code": 200, "Data": {"Result": [{"Label": "nonLabel"}], "Ext": extension}})
    return read_answer(200, {}, answer, replace(request(), privacy=PrivacySettings(**privacy))).hits


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).digest()[:16].hex()


def test_extensions_are_counted_and_their_texts_left_behind() -> None:
    """
    Of `Ext` only libraries, labels and counts are kept: no recognised text, no keyword, no person's name.
    """
    kept = hits(EXTENSION)

    assert kept == COUNTED
    assert "secret" not in repr(kept)


def test_counting_keeps_no_text() -> None:
    """
    `count` needs the number of texts, and none of them.
    """
    kept = hits(EXTENSION, recognised_text="count", public_figures="count", keywords="count")

    assert kept == replace(COUNTED, matched_words=2)
    assert "secret" not in repr(kept)


def test_a_hash_stands_for_its_text() -> None:
    """
    `hash` keeps the first 16 bytes of the SHA-256 of each text, sorted, and forgets the text.
    """
    kept = hits(EXTENSION, recognised_text="hash", public_figures="hash", keywords="hash")

    assert kept.recognised_text == tuple(sorted([digest("secret one"), digest("secret two")]))
    assert kept.figures == tuple(sorted([digest("secret name"), digest("f-2")]))
    assert kept.keywords == tuple(sorted([digest("secret word"), digest("secret key")]))
    assert "secret" not in repr(kept)


def test_texts_are_told_in_their_order() -> None:
    """
    `text` keeps each text once. Vendor: a person without a name has a code.
    """
    kept = hits(EXTENSION, recognised_text="text", public_figures="text", keywords="text")

    assert kept.recognised_text == ("secret one", "secret two")
    assert kept.figures == ("secret name", "f-2")
    assert kept.keywords == ("secret word", "secret key")


def test_what_is_told_of_one_kind_says_nothing_of_another() -> None:
    """
    Each kind has its own setting.
    """
    kept = hits(EXTENSION, public_figures="text")

    people = (FigureHit("secret name"), FigureHit("f-2"))
    assert kept == replace(COUNTED, figures=("secret name", "f-2"), figure_hits=people)


def test_libraries_are_told_with_their_names_and_images_where_that_is_asked_for() -> None:
    """
    As the account called them; an id that is a number is taken too.
    """
    kept = hits(EXTENSION, libraries=True)

    assert kept.image_hits == (
        LibraryHit("lib-2", "secret two", "secret 22"), LibraryHit("lib-1", None, "11"),
        LibraryHit("lib-2", "secret two", "secret 23"),
    )  # fmt: skip
    assert kept.keyword_hits == (LibraryHit("7", "secret list"),)
    assert replace(kept, image_hits=COUNTED.image_hits, keyword_hits=COUNTED.keyword_hits) == COUNTED


def test_logos_are_told_with_their_names_where_that_is_asked_for() -> None:
    """
    Label and confidence are in any case.
    """
    assert hits(EXTENSION, logos=True) == replace(COUNTED, logo_hits=(LogoHit("pt_logo", 88.18, "secret"),))


def test_places_are_told_where_that_is_asked_for() -> None:
    """
    Of people and logos, in pixels, and without a name that was not asked for.
    """
    kept = hits(EXTENSION, locations=True)

    assert kept.figure_hits == (FigureHit(None, (Box(14, 999, 13, 520.5),)), FigureHit())
    assert kept.logo_hits == (LogoHit("pt_logo", 88.18, None, Box(45, 30, 100, 44)),)
    assert "secret" not in repr(kept)


def test_a_hash_of_a_name_stands_beside_its_place() -> None:
    """
    The same that stands among all names.
    """
    kept = hits(EXTENSION, public_figures="hash", locations=True)

    assert kept.figure_hits[0] == FigureHit(digest("secret name"), (Box(14, 999, 13, 520.5),))
    assert kept.figure_hits[0].name in kept.figures


def test_what_is_told_one_by_one_is_bounded_and_the_rest_counted() -> None:
    """
    At most 50 of each kind, and names of at most 256 characters.
    """
    box = {"X": 0, "Y": 0, "W": 1, "H": 1}
    kept = hits(
        {
            "CustomImage": [{"LibId": "lib", "LibName": "n" * 300, "ImageId": n} for n in range(60)],
            "PublicFigure": [
                {"FigureName": f"f{n}", "Location": [{**box, "X": x} for x in range(52)]} for n in range(51)
            ],
        },
        libraries=True, public_figures="text", locations=True,
    )  # fmt: skip

    assert kept.image_hits == tuple(LibraryHit("lib", "n" * 256, str(n)) for n in range(50))
    assert [len(each.boxes) for each in kept.figure_hits] == [50] * 50
    assert (kept.public_figures, kept.left_out) == (51, 10 + 1 + 51 * 2)


BOX = {"X": 1, "Y": 2, "W": 3, "H": 4}


@pytest.mark.parametrize(
    "location",
    [
        [None, "here"], BOX | {"X": "1"}, BOX | {"Y": None}, BOX | {"W": True}, BOX | {"H": [4]}, BOX | {"X": 1e300},
        BOX | {"Y": -(10**18)}, {}, {"x": 1, "y": 2, "w": 3, "h": 4}, "1,2,3,4", 7,
    ],
)  # fmt: skip
def test_a_place_that_is_none_is_left_out(location: Any) -> None:
    """
    It is counted, and what was met there is told all the same.
    """
    kept = hits({"LogoData": [{"Logo": [{"Label": "l", "Confidence": 1}], "Location": location}]}, locations=True)

    assert kept.logo_hits == (LogoHit("l", 1.0),)
    assert kept.left_out == 1


def test_texts_are_bounded_in_number_and_length() -> None:
    """
    At most 50 texts of at most 256 characters; a hash is that of the whole text.
    """
    lines = [f"{number} {'é' * 300}" for number in range(60)]
    extension = {"TextInImage": {"OcrResult": [{"Text": line} for line in lines]}}

    told = hits(extension, recognised_text="text")
    hashed = hits(extension, recognised_text="hash")

    assert told.recognised_text == tuple(line[:256] for line in lines[:50])
    assert hashed.recognised_text == tuple(sorted(map(digest, lines[:50])))
    assert told.text_lines == hashed.text_lines == 60


@pytest.mark.parametrize(
    ("extension", "kept"),
    [
        (None, Hits()),
        ({}, Hits()),
        ([], Hits()),
        ("text", Hits(left_out=1)),
        ({"CustomImage": None, "TextInImage": None, "PublicFigure": None, "LogoData": None}, Hits()),
        ({"TextInImage": {"OcrResult": None, "RiskWord": None, "CustomText": None}}, Hits()),
        ({"CustomImage": {"LibId": "one"}}, Hits(image_libraries=("one",), image_hits=(LibraryHit("one"),))),
        ({"CustomImage": [{"LibId": 1}, {"LibId": 2.5}, {"LibId": True}, {"LibId": ""}, {}, None, 3]},
         Hits(image_libraries=("1", "2.5"), image_hits=(LibraryHit("1"), LibraryHit("2.5")), left_out=4)),
        ({"TextInImage": [{"OcrResult": {"Text": 5}}]}, Hits(text_lines=1, recognised_text=("5",))),
        ({"TextInImage": {"OcrResult": [{"Text": None}, {"Text": ["x"]}, {}]}}, Hits(text_lines=3, left_out=1)),
        ({"TextInImage": {"RiskWord": "word", "CustomText": {"LibId": "l", "KeyWords": "key"}}},
         Hits(keyword_libraries=("l",), keyword_hits=(LibraryHit("l"),), matched_words=2, keywords=("word", "key"))),
        ({"TextInImage": {"RiskWord": ["word", None, 7, {}], "CustomText": [{"KeyWords": None}]}},
         Hits(matched_words=2, keywords=("word", "7"), left_out=2)),
        ({"PublicFigure": {"FigureName": "", "FigureId": 12}},
         Hits(public_figures=1, figures=("12",), figure_hits=(FigureHit("12"),))),
        ({"LogoData": {"Logo": {"Label": "logo_sns", "Confidence": "88.18"}, "Location": []}},
         Hits(logos=("logo_sns",), logo_hits=(LogoHit("logo_sns"),), left_out=1)),
        ({"LogoData": [{"Logo": None}, {"Logo": [{"Label": "b"}, {"Label": "a"}]}]},
         Hits(logos=("a", "b"), logo_hits=(LogoHit("b"), LogoHit("a")))),
        ({"LogoData": [{"Logo": [{"Name": "x"}, {"Label": 3, "Confidence": 100.5}]}]},
         Hits(logos=("3",), logo_hits=(LogoHit("3"),), logo_names=("x",), left_out=2)),
    ],
)  # fmt: skip
def test_extensions_of_another_shape_are_read_as_far_as_they_can_be(extension: Any, kept: Hits) -> None:
    """
    Vendor: any part may be null or absent. An object where a list is promised, or a number for a text, is taken too.
    """
    assert hits(extension, recognised_text="text", public_figures="text", keywords="text") == kept
