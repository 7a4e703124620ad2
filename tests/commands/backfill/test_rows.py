"""What a manifest's rows may be, what is wrong with others, and what event is made of them."""

from typing import Any

import orjson
import pytest

from consumer.commands.backfill.checking import Checked, Checking
from consumer.commands.backfill.rows import Row, rows
from consumer.commands.backfill.spool import Spool
from consumer.commands.backfill.uploads import Making, Upload, explained
from consumer.config import Config
from consumer.errors import Undecodable
from consumer.images.stores.listing import Listed
from consumer.intake.decode import Bindings
from consumer.policy.schema import Policy, PolicySettings
from tests.rig.speed import is_quick

BINDING = {"bucket": "ugc", "via": "url", "url": "https://cdn.example/{key}", "tenant": "shop", "purpose": "avatar"}
CONFIG = Config.model_validate({"bindings": [BINDING]})
POLICY = Policy(
    settings=PolicySettings.model_validate(
        {
            "policy": "p",
            "version": 1,
            "services": ["baselineCheck_global"],
            "overlays": [
                {"when": {"tenant": ["shop"]}, "services": ["baselineCheck_global", "tonalityImprove_global"]}
            ],
        }
    ),
    sha256="0",
)
MAKING = Making("r", Bindings.of(CONFIG), "2026-11-27T00:00:00.000Z")
CHECKING = Checking.of(CONFIG, POLICY, "uploads")


def read(text: bytes, *, is_csv: bool = False) -> tuple[list[Row], list[str]]:
    found = list(rows(text.splitlines(keepends=True), "list", is_csv=is_csv))
    return [each for each in found if isinstance(each, Row)], [each for each in found if isinstance(each, str)]


def made(**members: Any) -> Upload:
    return MAKING.of_row(Row("list:1", members))


def event(upload: Upload) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(upload.record.value or b"")
    return found


def test_csv_names_what_its_cells_are() -> None:
    """
    Quoted cells may have commas and line breaks; an empty one says nothing, and numbers are numbers.
    """
    text = b'\xef\xbb\xbfimage,subject,revision\r\nhttps://a.example/1,"a,\r\nb",3\r\n\r\nhttps://a.example/2,,\r\n'

    found, problems = read(text, is_csv=True)

    assert problems == []
    assert found == [
        Row("list:2", {"image": "https://a.example/1", "subject": "a,\r\nb", "revision": 3}),
        Row("list:5", {"image": "https://a.example/2"}),
    ]


@pytest.mark.parametrize(
    "text, said",
    [
        (b"image,tennant\n", "list:1: tennant is no member; there are image, bucket,"),
        (b"tenant\nshop\n", "list:1: says no image: it needs image (a URL), or bucket and key"),
        (b"image,image\n", "list:1: image is there twice"),
        (b"image,tenant\nx\n", "list:2: has 1 cells, and the first line names 2"),
        (b"image\n\xff\n", "list:2: image is not UTF-8"),
        (b'image\nhttps://a.example\n"open\n', "list:3: unexpected end of data"),
    ],
)
def test_a_wrong_line_of_csv_is_named(text: bytes, said: str) -> None:
    """
    By its file and number, and what is wrong with it.
    """
    _, [problem] = read(text, is_csv=True)

    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("piece", "times"),
    [(b"{", 1), (b'{"a":', 5), (b'"', 1), (b",", 1), (b"x", 1), (b"\n", 10)],
)
@pytest.mark.parametrize("is_csv", [True, False])
def test_a_hostile_megabyte_is_read_in_no_time(piece: bytes, times: int, is_csv: bool) -> None:
    """
    Whatever stands in it, and nothing escapes.
    """

    def both(text: bytes) -> None:
        read(text, is_csv=is_csv)
        read(b"image\n" + text, is_csv=is_csv)

    assert is_quick(both, lambda size: piece * (size // times), 5.0)


def test_every_wrong_line_is_named() -> None:
    """
    All at once.
    """
    found, problems = read(b'https://a.example/1\n{"image": 1\n\xff\n{"tenant": "a"}\n{"image": "x", "a": 1}\n')

    assert found == [Row("list:1", {"image": "https://a.example/1"})]
    assert [each.partition(": ")[0] for each in problems] == ["list:2", "list:3", "list:4", "list:5"]


@pytest.mark.parametrize(
    "members, said",
    [
        ({"image": "ftp://u:p@a.example/1?q=s"}, "list:1: image 'ftp://…@a.example/1?…': must be http or https"),
        ({"image": "https://a.example/1", "revision": "x"}, "list:1: revision 'x': must be an integer"),
        ({"bucket": "other", "key": "a"}, "list:1: bucket 'other': no binding covers the object"),
        ({"image": "https://a.example/1", "tenant": 7}, "list:1: tenant '7': must be a string"),
        ({"image": "https://a.example/1", "event_time": "noon"}, "list:1: event_time 'noon': "),
        ({"image": "https://a.example/1", "bytes": "many"}, "list:1: bytes 'many': must be a number of bytes"),
    ],
)
def test_what_would_be_a_dead_letter_is_named_by_column_and_value(members: dict[str, Any], said: str) -> None:
    """
    As the service's own decoder has it, without credentials.
    """
    row = Row("list:1", members)
    with pytest.raises(Undecodable) as error:
        CHECKING.check(MAKING.of_row(row), 0.0)

    told = explained(error.value, row)
    assert told.startswith(said)
    assert "u:p" not in told
    assert "q=s" not in told


def test_an_object_has_its_bindings_tenant_and_purpose() -> None:
    """
    And costs what the policy asks for them; what the row says comes first.
    """
    upload = made(bucket="ugc", key="a b.png")
    other = made(bucket="ugc", key="a b.png", tenant="else")

    assert [event(upload)[name] for name in ("tenant", "purpose")] == ["shop", "avatar"]
    assert upload.record.key == b"shop|ugc/a b.png"
    assert CHECKING.check(upload, 0.0) == Checked(images=1, calls=2)
    assert CHECKING.check(other, 0.0) == Checked(images=1, calls=1)


def test_a_whole_event_is_sent_as_it_is() -> None:
    """
    With as many images as it has.
    """
    images = [{"url": "https://a.example/1"}, {"url": "https://a.example/2"}]
    members = {
        "schema": "image.uploaded.v1", "event_id": "e", "event_time": "2026-11-20T10:00:00Z", "tenant": "t",
        "subject": {"id": "s"}, "images": images, "mine": 1,
    }  # fmt: skip
    upload = made(**members)

    assert event(upload) == members
    assert upload.record.key == b"t|s"
    assert CHECKING.check(upload, 0.0) == Checked(images=2, calls=2)


def test_the_same_is_known_again_and_anything_else_is_another() -> None:
    """
    Wherever it stands; an object that was written anew is another.
    """
    names = [
        made(image="https://a.example/1", tenant="a"),
        made(tenant="a", image="https://a.example/1"),
        made(image="https://a.example/1", tenant="b"),
        MAKING.of_object("s", "ugc", Listed("k", 1, "e1")),
        MAKING.of_object("s", "ugc", Listed("k", 1, "e2")),
    ]

    assert names[0].name == names[1].name
    assert len({each.name for each in names}) == 4
    assert all(each.name.startswith("r/") for each in names)


def test_an_image_without_a_subject_is_its_own_and_no_credential_is_told() -> None:
    """
    Without the query of its URL, and cut where it is too long for a subject.
    """
    short = event(made(image="https://a.example/1?signature=secret"))
    long = [event(made(image=f"https://a.example/{'x' * 1_500}{end}")) for end in "ab"]

    assert short["subject"] == {"id": "https://a.example/1"}
    assert [len(each["subject"]["id"]) for each in long] == [1_024, 1_024]
    assert long[0]["subject"] != long[1]["subject"]


def test_what_is_spooled_comes_back_byte_for_byte_and_once() -> None:
    """
    Whatever a topic's records hold.
    """
    upload = made(image="https://a.example/1")
    odd = upload._replace(
        name="r/" + "0d" * 16,
        record=type(upload.record)(None, b"\x00\xff\n", [("h", None), ("h", b"\x80")]),
    )
    with Spool() as spool:
        added = [spool.add(each, Checked(1, 2, 0)) for each in (upload, odd, upload)]
        again = [[each.upload for each in spool] for _ in range(2)]

    assert added == [True, True, False]
    assert again == [[upload, odd]] * 2
