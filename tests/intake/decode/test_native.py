"""The service's own event: what is required, what has a default, what is kept and what is refused."""

from typing import Any

import orjson
import pytest

from consumer.config.bindings import Binding
from consumer.intake.decode import Bindings
from consumer.locations import ByObject, ByUrl, Image, ObjectRef
from consumer.records import Subject
from tests.intake.decode.messages import REMOVE, message, refused, sample, submitted

REF = {"store": "oss", "bucket": "ugc", "key": "a/b c.jpg", "region": "ap-southeast-1", "version": None}


def test_every_image_becomes_a_submission_with_all_that_the_event_says() -> None:
    """
    Nothing that a producer writes of the event, its subject or its images is lost or changed.
    """
    read = message(sample("native"))

    first, second = submitted(read)

    assert first.delivery is read
    assert (first.event_id, first.event_time) == ("01J9ZK6Q", "2026-11-20T10:00:00.000Z")
    assert (first.tenant, first.purpose) == ("shop-eu", "avatar")
    assert first.subject == Subject(id="u_123/avatar", type="user_avatar", revision=3)
    assert first.image == Image(
        id="0",
        ref=ObjectRef(store="oss", bucket="ugc", key="a/b c.jpg", region="ap-southeast-1"),
        mime="image/jpeg",
        size=48213,
        sha256_claimed="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    )
    assert first.context == b'{"country":"DE","trust":"new"}'
    assert (first.attrs, first.extra, first.omitted) == (b'{"campaign":"winter"}', b"{}", ())
    assert first.location == ByObject("ugc", "a/b c.jpg", "ap-southeast-1")
    assert second.location == ByUrl("https://cdn.example.com/u_123/1.webp?expires=1&signature=c2VjcmV0")
    assert first.of == second.of == 2
    assert first.id != second.id


def test_what_is_optional_has_a_default() -> None:
    """
    An event with its required members alone is enough; the images are numbered in their order.
    """
    event = {
        "schema": "image.uploaded.v1",
        "event_id": "e",
        "event_time": "2026-11-20T10:00:00Z",
        "subject": {"id": "s"},
        "images": [{"url": "https://cdn.example.com/0"}, {"url": "https://cdn.example.com/1"}],
    }

    first, second = submitted(message(event))

    assert (first.tenant, first.purpose, first.subject) == ("default", "default", Subject(id="s"))
    assert (first.context, first.attrs, first.extra, first.omitted) == (b"{}", b"{}", b"{}", ())
    assert [first.image, second.image] == [
        Image(id="0", url="https://cdn.example.com/0"),
        Image(id="1", url="https://cdn.example.com/1"),
    ]


@pytest.mark.parametrize("nothing", [None, "", REMOVE], ids=["null", "empty", "absent"])
@pytest.mark.parametrize("path", ["tenant", "purpose", "subject__type", "images__0__mime", "images__0__ref__version"])
def test_null_empty_and_absent_mean_the_same(path: str, nothing: object) -> None:
    """
    Producers write nothing in three ways, and all are read alike.
    """
    event = sample("native", **{path: nothing})

    first, _ = submitted(message(event))

    values = {
        "tenant": first.tenant,
        "purpose": first.purpose,
        "subject__type": first.subject.type,
        "images__0__mime": first.image.mime,
        "images__0__ref__version": first.image.ref and first.image.ref.version,
    }
    assert values[path] == ("default" if path in ("tenant", "purpose") else None)


@pytest.mark.parametrize("nothing", [None, "", REMOVE], ids=["null", "empty", "absent"])
@pytest.mark.parametrize(
    "path, detail",
    [
        ("event_id", "event_id: is required"),
        ("event_time", "event_time: is required"),
        ("subject__id", "subject.id: is required"),
        ("images__1__url", "images[1]: url or ref is required"),
        ("images__0__ref__store", "images[0].ref.store: is required"),
        ("images__0__ref__bucket", "images[0].ref.bucket: is required"),
        ("images__0__ref__key", "images[0].ref.key: is required"),
    ],
)
def test_a_required_member_must_be_there(path: str, detail: str, nothing: object) -> None:
    """
    Without any one of them nothing of the event is submitted, and the detail names the member.
    """
    event = sample("native", **{path: nothing})

    assert refused(message(event)) == ("missing_member", detail)


@pytest.mark.parametrize(
    "changes, reason, detail",
    [
        ({"subject": REMOVE}, "missing_member", "subject: is required"),
        ({"images": REMOVE}, "missing_member", "images: at least one is required"),
        ({"images": None}, "missing_member", "images: at least one is required"),
        ({"images": []}, "missing_member", "images: at least one is required"),
        ({"images": {}}, "bad_member", "images: must be an array"),
        ({"images": "0"}, "bad_member", "images: must be an array"),
        ({"images__1": None}, "bad_member", "images[1]: must be an object"),
        ({"images__1": ["url"]}, "bad_member", "images[1]: must be an object"),
        ({"subject": "u_123"}, "bad_member", "subject: must be an object"),
        ({"event_id": 7}, "bad_member", "event_id: must be a string"),
        ({"event_id": True}, "bad_member", "event_id: must be a string"),
        ({"tenant": ["shop"]}, "bad_member", "tenant: must be a string"),
        ({"purpose": 0}, "bad_member", "purpose: must be a string"),
        ({"subject__id": 1}, "bad_member", "subject.id: must be a string"),
        ({"subject__type": {}}, "bad_member", "subject.type: must be a string"),
        ({"subject__revision": True}, "bad_member", "subject.revision: must be an integer"),
        ({"subject__revision": 3.0}, "bad_member", "subject.revision: must be an integer"),
        ({"subject__revision": "3"}, "bad_member", "subject.revision: must be an integer"),
        ({"images__0__id": 0}, "bad_member", "images[0].id: must be a string"),
        ({"images__0__ref": "oss://ugc/a"}, "bad_member", "images[0].ref: must be an object"),
        ({"images__0__ref__key": 5}, "bad_member", "images[0].ref.key: must be a string"),
        ({"images__0__bytes": False}, "bad_member", "images[0].bytes: must be a number of bytes"),
        ({"images__0__bytes": -1}, "bad_member", "images[0].bytes: must be a number of bytes"),
        ({"images__0__bytes": 1.5}, "bad_member", "images[0].bytes: must be a number of bytes"),
        ({"images__0__sha256": 9}, "bad_member", "images[0].sha256: must be a string"),
        ({"context": []}, "bad_member", "context: must be an object"),
        ({"attrs": "x"}, "bad_member", "attrs: must be an object"),
        ({"event_id": "e" * 1025}, "too_long", "event_id: longer than 1024 characters"),
        ({"images__1__url": "https://cdn.example.com/" + "a" * 2025}, "too_long",
         "images[1].url: longer than 2048 characters"),
        ({"images__1__id": "0"}, "duplicate_image", "images: two of them have the same id"),
        ({"images__1__url": "ftp://cdn.example.com/a"}, "bad_url",
         "images[1].url: must be http or https, with a host in ASCII"),
    ],
)  # fmt: skip
def test_one_wrong_member_refuses_the_whole_event(changes: dict[str, Any], reason: str, detail: str) -> None:
    """
    A wrong type, length or repetition anywhere leaves no image submitted, and the detail says where it stands.
    """
    event = sample("native", **changes)

    assert refused(message(event)) == (reason, detail)


def test_a_number_beyond_64_bits_is_no_integer() -> None:
    """
    A revision that a parser could only round is refused rather than changed.
    """
    event = message(sample("native", subject__revision=12345)).value
    assert event is not None

    reason, detail = refused(message(event.replace(b"12345", b"18446744073709551616")))

    assert (reason, detail) == ("bad_member", "subject.revision: must be an integer")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20T10:00:00Z",
        "2026-11-20t10:00:00z",
        "2026-11-20T10:00:00.123456789Z",
        "2026-11-20T10:00:00+08:00",
        "2026-11-20T10:00:00-00:00",
        "2024-02-29T00:00:00Z",
        "2016-12-31T23:59:60Z",
    ],
)
def test_an_rfc_3339_time_is_kept_as_text(text: str) -> None:
    """
    Precision and offset are the producer's, so the time is neither parsed away nor rewritten.
    """
    first, _ = submitted(message(sample("native", event_time=text)))

    assert first.event_time == text


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-20",
        "2026-11-20T10:00:00",
        "2026-11-20 10:00:00Z",
        "2026-11-20T10:00Z",
        "2026-02-29T10:00:00Z",
        "2026-04-31T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:00:00+0800",
        "2026-11-20T10:00:00.Z",
        "٢٠٢٦-11-20T10:00:00Z",
        "1763632800",
        "2026-11-20T10:00:00Z\n",
    ],
)
def test_another_notation_of_time_is_refused(text: str) -> None:
    """
    A time without an offset, or one that no calendar has, is nobody's to guess.
    """
    assert refused(message(sample("native", event_time=text))) == (
        "bad_member",
        "event_time: must be an RFC 3339 timestamp with an offset",
    )


def test_sixteen_images_are_read_and_seventeen_refused() -> None:
    """
    The limit is the event's, and all or nothing.
    """
    images = [{"url": f"https://cdn.example.com/{n}"} for n in range(17)]

    within = submitted(message(sample("native", images=images[:16])))

    assert [each.image.id for each in within] == [str(n) for n in range(16)]
    assert {each.of for each in within} == {16}
    assert refused(message(sample("native", images=images))) == ("too_many", "images: more than 16")


@pytest.mark.parametrize("schema", ["image.uploaded.v1", "image.uploaded.v1.4"])
def test_minor_versions_are_read(schema: str) -> None:
    """
    A minor version only adds members, and those are kept.
    """
    assert len(submitted(message(sample("native", schema=schema)))) == 2


@pytest.mark.parametrize(
    "schema", ["image.uploaded.v2", "image.uploaded.v10", "image.uploaded", "order.created.v1", "", None, 1, {}]
)
def test_another_schema_or_major_version_is_refused(schema: object) -> None:
    """
    What a new major version means cannot be known, and a schema of something else is not dropped in silence.
    """
    assert refused(message(sample("native", schema=schema)))[0] == "unknown_schema"


def test_unknown_members_are_kept_where_they_stood() -> None:
    """
    Each submission carries the event's and the subject's unknown members and those of its own image.
    """
    event = sample(
        "native",
        trace="t-1",
        subject__locale="de",
        images__0__alt="a cat",
        images__0__ref__etag="5d41",
        images__1__width=640,
    )

    first, second = submitted(message(event))

    common = {"trace": "t-1", "subject": {"locale": "de"}}
    assert orjson.loads(first.extra) == {**common, "images": {"0": {"alt": "a cat", "ref": {"etag": "5d41"}}}}
    assert orjson.loads(second.extra) == {**common, "images": {"1": {"width": 640}}}


@pytest.mark.parametrize(
    "path", ["notes", "subject__notes", "images__1__notes", "images__0__ref__notes", "context__notes", "attrs__notes"]
)
def test_what_is_carried_may_take_8_kib_together(path: str) -> None:
    """
    The limit counts JSON over the whole event, wherever the members stand. Beyond it all are left out and named, and
    the images are judged all the same.
    """
    fits = sample("native", **{path: "x" * 8000})
    exceeds = sample("native", **{path: "x" * 8000}, more="y" * 200)

    assert [each.omitted for each in submitted(message(fits))] == [(), ()]
    for each in submitted(message(exceeds)):
        assert each.omitted == ("context", "attrs", "extra")
        assert (each.context, each.attrs, each.extra) == (b"{}", b"{}", b"{}")


def test_only_what_was_there_is_said_to_be_left_out() -> None:
    """
    An event with a context alone does not omit attributes that it never had.
    """
    event = sample("native", context={"a": "x" * 8192}, attrs=REMOVE)

    assert {each.omitted for each in submitted(message(event))} == {("context",)}


def test_the_images_of_an_event_share_what_they_carry() -> None:
    """
    Sixteen images hold one copy of the bytes, and no parsed document.
    """
    images = [{"url": f"https://cdn.example.com/{n}"} for n in range(16)]

    read = submitted(message(sample("native", images=images, novel="x" * 4000)))

    assert len({id(each.context) for each in read}) == len({id(each.extra) for each in read}) == 1


@pytest.mark.parametrize(
    "path, where", [("context__a", "context"), ("attrs__a", "attrs"), ("novel", "unknown members")]
)
def test_what_is_carried_on_can_be_written_again(path: str, where: str) -> None:
    """
    JSON that can be read can nest too deeply to be written, so it is refused before it is carried anywhere.
    """
    event = message(sample("native", **{path: "nested"})).value
    assert event is not None
    deep = [event.replace(b'"nested"', b"[" * levels + b"]" * levels) for levels in (240, 260, 1000)]

    first, _ = submitted(message(deep[0]))

    carried = [orjson.loads(each) for each in (first.context, first.attrs, first.extra)]
    assert orjson.dumps({"event": {"carried": carried}})
    for each in deep[1:]:
        assert refused(message(each)) == ("too_deep", f"{where}: nests too deeply to be written again")


@pytest.mark.parametrize(
    "url, sent",
    [
        ("http://cdn.example.com/a", "http://cdn.example.com/a"),
        ("https://cdn.example.com/照片.jpg", "https://cdn.example.com/%E7%85%A7%E7%89%87.jpg"),
        ("https://cdn.example.com/%E7%85%A7/é?q=ü", "https://cdn.example.com/%E7%85%A7/%C3%A9?q=%C3%BC"),
    ],
)
def test_the_provider_is_given_the_url_in_ascii(url: str, sent: str) -> None:
    """
    Vendor: no Chinese characters in image URLs. The event's own URL stays as it was written.
    """
    _, second = submitted(message(sample("native", images__1__url=url)))

    assert second.location == ByUrl(sent)
    assert second.image.url == url


def test_a_binding_decides_how_a_reference_is_reached_but_not_whose_it_is() -> None:
    """
    Tenant and purpose are the event's; the bucket's binding only tells the way. Its `include` is for notifications:
    here the producer says that these are images.
    """
    bindings = Bindings(
        [
            Binding(
                bucket="ugc",
                tenant="other",
                purpose="other",
                via="url",
                url="https://cdn.example.com/{key}",
                include={"keys": ["*.png"]},
            )
        ]
    )

    first, _ = submitted(message(sample("native")), bindings)

    assert first.location == ByUrl("https://cdn.example.com/a/b%20c.jpg")
    assert (first.tenant, first.purpose) == ("shop-eu", "avatar")


@pytest.mark.parametrize("ref", [{**REF, "store": "s3"}, {**REF, "region": None}], ids=["other store", "no region"])
def test_a_reference_that_does_not_say_enough_needs_a_binding(ref: dict[str, Any]) -> None:
    """
    Only an OSS object with its region can be reached by the event's word alone.
    """
    event = message(sample("native", images__0__ref=ref))

    (first, _) = submitted(event, Bindings([Binding(bucket="ugc", via="oss", region="cn-shanghai")]))

    assert first.location == ByObject("ugc", "a/b c.jpg", ref["region"] or "cn-shanghai")
    assert refused(event, Bindings())[0] == "unbound_bucket"


def test_a_binding_via_oss_needs_a_region_from_somewhere() -> None:
    """
    The provider must be told the bucket's region, and a guess would read another bucket.
    """
    event = message(sample("native", images__0__ref__region=None))

    reason, detail = refused(event, Bindings([Binding(bucket="ugc", via="oss")]))

    assert reason == "no_region"
    assert detail.startswith("images[0].ref.key: ")
