"""
Reading from stores on loopback: which object is asked for, what of it is taken, and whose a failure is.
"""

import asyncio
import gzip

import pytest

from consumer.errors import AccountRefused, ClockOff
from consumer.images.errors import NotFetched
from consumer.images.fetch import Limits
from consumer.images.held import BytesHeld
from consumer.locations import StoredObject
from consumer.proxies import Proxies
from tests.images.stores.serving import IMAGE, S3Like, answer, etag_of, read, reading, refusal, serving
from tests.rig.clock import ManualClock

ODD_KEYS = [
    "/a.png", "//", "a//b.png", "a/../b.png", "../a.png", "..", ".", "./a", "a/", "a/.", "a b.png", " a ", "a+b.png",
    "100%.png", "a%2Fb.png", "%2e%2e/a", "a?b=c&d.png", "a#b.png", "相片/图.png", "é.png", "e\u0301.png", "\U0001f600",
    "a\\b", "a\tb", "a\nb", "a;b", "a:b@c", "a&b=c,d", "~a*b'(c)!", 'a"b<c>', "{key}", "\u200b", "\x7f",
]  # fmt: skip


@pytest.mark.parametrize("key", ODD_KEYS)
async def test_a_key_is_asked_for_byte_for_byte(key: str) -> None:
    """
    Whatever stands in it: the object of just this key is read, and the signature is right.
    """
    async with (
        serving(S3Like({("photos", key): IMAGE, ("photos", "b.png"): b"another"})) as store,
        reading(store.url) as reader,
    ):
        assert await read(reader, key) == IMAGE


async def test_a_version_is_read_by_its_name() -> None:
    """
    Encoded as a key is; an ETag is not looked at then.
    """
    async with serving(S3Like({("photos", "a.png"): IMAGE})) as store, reading(store.url) as reader:
        assert await read(reader, version="3/L4+kqtJ&x=%", etag="another") == IMAGE
        assert store.targets == ["/photos/a.png?versionId=3%2FL4%2BkqtJ%26x%3D%25"]


async def test_without_a_version_the_object_must_have_its_etag_still() -> None:
    """
    With quotes or without; one that was written again is not judged in its place.
    """
    async with serving(S3Like({("photos", "a.png"): IMAGE})) as store, reading(store.url) as reader:
        assert await read(reader, etag=etag_of(IMAGE)) == IMAGE
        assert await read(reader, etag=f'"{etag_of(IMAGE)}"') == IMAGE
        store.objects["photos", "a.png"] = b"another"
        changed = await read(reader, etag=etag_of(IMAGE))

    assert isinstance(changed, NotFetched)
    assert (changed.code, changed.again) == ("changed", False)


@pytest.mark.parametrize(
    ("wanted", "headers"),
    [
        ({"etag": "one"}, {"etag": '"two"'}),
        ({"etag": "one"}, {}),
        ({"version": "1"}, {"x-amz-version-id": "2"}),
        ({"version": "1"}, {"etag": '"one"'}),
        ({"version": "null", "etag": "one"}, {"x-amz-version-id": "null", "etag": '"two"'}),
    ],
)
async def test_a_store_that_does_not_look_at_conditions_is_not_believed(
    wanted: dict[str, str], headers: dict[str, str]
) -> None:
    """
    What it says of the object that it gives must fit. The version that is called null can be written again.
    """
    async with serving(S3Like(None, answer(headers=headers))) as store, reading(store.url) as reader:
        found = await read(reader, **wanted)

    assert isinstance(found, NotFetched)
    assert found.code == "changed"


@pytest.mark.parametrize("etag", ["a\r\nX-Evil: 1", "", "ä", "a" * 257, 'a"b'])
async def test_what_can_be_no_etag_is_not_sent(etag: str) -> None:
    """
    An event's text stands in no header unless it is an ETag; no object has it, so none is judged.
    """
    async with serving(S3Like({("photos", "a.png"): IMAGE})) as store, reading(store.url) as reader:
        found = await read(reader, etag=etag)

    assert isinstance(found, NotFetched)
    assert found.code == "changed"
    assert store.targets == []


@pytest.mark.parametrize(
    ("status", "code", "word", "again"),
    [
        (404, "NoSuchKey", "not_found", False),
        (404, "NoSuchVersion", "not_found", False),
        (405, "MethodNotAllowed", "not_found", False),
        (400, "KeyTooLongError", "not_found", False),
        (400, "InvalidObjectName", "not_found", False),
        (403, "AccessDenied", "denied", False),
        (412, "PreconditionFailed", "changed", False),
        (412, "", "changed", False),
        (403, "InvalidObjectState", "archived", False),
        (500, "InternalError", "http_500", True),
        (500, "SomethingElse", "http_500", True),
        (400, "RequestTimeout", "http_400", True),
        (307, "TemporaryRedirect", "http_307", True),
    ],
)
async def test_what_is_with_an_object_is_told_apart(status: int, code: str, word: str, again: bool) -> None:
    """
    By the store's code, in a bucket that gives others. What is said of an object says that the store is there.
    """
    async with serving(S3Like(None, answer(), refusal(status, code))) as store, reading(store.url) as reader:
        assert await read(reader, "b.png") == IMAGE
        found = await read(reader)

    assert isinstance(found, NotFetched)
    assert (found.code, found.again, found.answered, found.throttled) == (word, again, not again, False)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"), (503, ""), (429, ""), (400, "ThrottlingException"), (400, "RequestLimitExceeded"),
        (503, "ServiceUnavailable"), (403, "QpsLimitExceeded"),
    ],
)  # fmt: skip
async def test_a_store_that_asks_to_come_later_is_told_apart(status: int, code: str) -> None:
    """
    By its code, or by its status: that is no attempt at the image.
    """
    async with serving(S3Like(None, refusal(status, code))) as store, reading(store.url) as reader:
        found = await read(reader)

    assert isinstance(found, NotFetched)
    assert (found.again, found.throttled) == (True, True)


@pytest.mark.parametrize("status", [204, 301, 302, 307, 400, 403, 404, 405, 409, 418])
async def test_an_answer_without_a_code_may_not_be_the_stores(status: int) -> None:
    """
    Something in front of it answers so, such as an ingress without a backend: the image waits, and readiness tells.
    """
    clock = ManualClock()
    async with (
        serving(S3Like(None, answer(), answer(b"" if status == 204 else b"<html>no</html>", status))) as store,
        reading(store.url, clock=clock) as reader,
    ):
        await read(reader, "b.png")
        found = await read(reader)
        clock.time += 6.0
        told = reader.reasons_not_ready()

    assert isinstance(found, NotFetched)
    assert (found.code, found.again, found.throttled) == (f"http_{status}", True, False)
    assert told == [f"images: the store ugc gives nothing of its bucket photos (http_{status}) for 6 s"]


async def test_a_bucket_that_gives_nothing_denies_its_objects_to_this_service() -> None:
    """
    The right to read it is missing: that is no object's fault until the bucket has given another one.
    """
    async with (
        serving(S3Like({("photos", "b.png"): IMAGE})) as store,
        reading(store.url) as reader,
    ):
        store.failing["a.png"] = refusal(403, "AccessDenied")
        first = await read(reader)
        told = reader.reasons_not_ready()
        assert await read(reader, "b.png") == IMAGE
        second = await read(reader)

    assert isinstance(first, AccountRefused)
    assert (first.code, first.detail) == ("AccessDenied", "the store ugc answers AccessDenied")
    assert "refuses this service its bucket photos (AccessDenied)" in told[0]
    assert isinstance(second, NotFetched)
    assert (second.code, second.again) == ("denied", False)


async def test_a_bucket_with_another_endpoint_is_no_objects_fault() -> None:
    """
    OSS denies access then, and names the endpoint, which may come later than the code.
    """
    store = S3Like(None, answer(), b"HTTP/1.1 403 X\r\nconnection: close\r\n\r\n<Error><Code>AccessDenied</Code>")
    async with serving(store), reading(store.url) as reader:
        assert await read(reader, "b.png") == IMAGE
        store.parts, store.pause = [b"<Message>No.</Message><Endpoint>oss-cn-x.example", b"</Endpoint></Error>"], 0.05
        found = await read(reader)

    assert isinstance(found, AccountRefused)
    assert found.code == "other_endpoint"


async def test_a_proxy_that_wants_a_user_is_no_objects_fault() -> None:
    """
    Of a store without TLS it answers in its place.
    """
    async with serving(S3Like(None, answer(b"", 407))) as proxy:
        proxies = Proxies(chosen=proxy.url)
        async with reading("http://store.example", proxies=proxies) as reader:
            found = await read(reader)
            assert reader.proxy_of(StoredObject("ugc", "photos", "a")) == f"127.0.0.1:{proxy.port}"

    assert isinstance(found, NotFetched)
    assert (found.code, found.again, found.answered) == ("proxy", True, False)


async def test_what_is_refused_without_asking_says_nothing_of_the_store() -> None:
    """
    An event's text that can be no ETag does not make a bucket well that gives nothing.
    """
    async with serving(S3Like(None, refusal(403, "InvalidAccessKeyId"))) as store, reading(store.url) as reader:
        await read(reader)
        found = await read(reader, etag="")
        told = reader.reasons_not_ready()

    assert isinstance(found, NotFetched)
    assert not found.answered
    assert len(told) == 1


FAILS = refusal(500, "InternalError")
ALONE = StoredObject("ugc", "photos", "a.png")


@pytest.mark.parametrize(
    ("others", "read_before", "failure", "gives"),
    [
        (["b.png"], True, FAILS, True),  # the object that was read last
        (["0.png"], False, FAILS, True),  # the first of the list
        (["b.png"], True, refusal(403, "SignatureDoesNotMatch"), True),
        (["0.png"], False, refusal(403, "AccessDenied"), True),
        ([], False, FAILS, True),  # there is no other; the list is an answer
        ([], False, refusal(403, "AccessDenied"), False),  # a right to list is none to read
    ],
)
async def test_whether_a_bucket_gives_others_is_found_out(
    others: list[str], read_before: bool, failure: bytes, gives: bool
) -> None:
    """
    In one where few objects are read nothing else tells an object that always fails from an outage.
    """
    objects = {("photos", key): IMAGE for key in [*others, "a.png"]}
    async with serving(S3Like(objects)) as store, reading(store.url) as reader:
        if read_before:
            await read(reader, others[0])
        store.failing["a.png"] = failure
        found = await read(reader)
        told = reader.reasons_not_ready()

        assert await reader.gives_another(ALONE, is_refused=isinstance(found, AccountRefused)) == gives
        assert bool(told and reader.reasons_not_ready()) == (isinstance(found, AccountRefused) and not gives)


@pytest.mark.parametrize("failure", [FAILS, answer(status=503), answer(b"no", 403)])
async def test_in_an_outage_no_other_is_given(failure: bytes) -> None:
    """
    Whether another was read before, or is in the list.
    """
    objects = {("photos", "0.png"): IMAGE, ("photos", "a.png"): IMAGE}
    async with serving(S3Like(objects)) as store, reading(store.url) as reader, reading(store.url) as another:
        await read(reader, "0.png")
        store.failing |= {"a.png": failure, "0.png": failure}
        for each in (reader, another):
            await read(each)
            assert not await each.gives_another(ALONE, is_refused=False)


async def test_where_others_fail_too_an_answer_about_the_list_says_nothing() -> None:
    """
    A store can be there, and its objects cannot be read: the list alone is believed of one object only.
    """
    async with serving(S3Like()) as store, reading(store.url) as reader:
        store.may_list = False
        store.failing |= {"a.png": FAILS, "b.png": FAILS}
        await read(reader)
        assert await reader.gives_another(ALONE, is_refused=False)
        await read(reader, "b.png")
        assert not await reader.gives_another(ALONE, is_refused=False)


async def test_an_object_that_was_deleted_is_not_asked_for_in_place_of_another() -> None:
    """
    Of a bucket that gave it once: the next is looked up in the list.
    """
    objects = {("photos", "z.png"): IMAGE, ("photos", "0.png"): IMAGE, ("photos", "a.png"): IMAGE}
    async with serving(S3Like(objects)) as store, reading(store.url) as reader:
        await read(reader, "z.png")
        store.failing["a.png"] = refusal(400, "InvalidArgument")
        await read(reader)
        del store.objects["photos", "z.png"]

        assert not await reader.gives_another(ALONE, is_refused=True)
        assert await reader.gives_another(ALONE, is_refused=True)
        assert store.targets[-1] == "/photos/0.png"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "InvalidAccessKeyId"),
        (403, "SignatureDoesNotMatch"),
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
        (404, "NoSuchBucket"),
        (301, "PermanentRedirect"),
        (400, "AuthorizationHeaderMalformed"),
        (401, "Unauthorized"),
        (400, "InvalidArgument"),
        (400, "InvalidRegion"),
        (403, "AccessDenied"),
        (403, "SomethingNew"),
        (301, "SomethingElse"),
    ],
)
async def test_what_the_account_is_refused_is_no_objects_fault(status: int, code: str) -> None:
    """
    It names the store and the code, and readiness does until the bucket gives something again; another bucket's objects
    say nothing of it.
    """
    clock = ManualClock()
    async with (
        serving(S3Like({("photos", "a.png"): IMAGE}, refusal(status, code))) as store,
        reading(store.url, clock=clock) as reader,
    ):
        found = await read(reader)
        clock.time += 12.0
        told = reader.reasons_not_ready()
        store.answers = [answer(), answer()]
        assert await read(reader, bucket="others") == IMAGE
        assert reader.reasons_not_ready() == told
        assert await read(reader) == IMAGE
        assert reader.reasons_not_ready() == []

    assert isinstance(found, AccountRefused)
    assert (found.code, found.detail) == (code, f"the store ugc answers {code}")
    assert told == [f"images: the store ugc refuses this service its bucket photos ({code}) for 12 s"]


async def test_a_wrong_clock_is_told_as_such() -> None:
    """
    The store refuses what was signed at another time.
    """
    async with serving(S3Like(None, refusal(403, "RequestTimeTooSkewed"))) as store, reading(store.url) as reader:
        assert isinstance(await read(reader), ClockOff)


async def test_no_key_is_no_objects_fault() -> None:
    """
    Where there is none to sign with, nothing is asked, and readiness says so.
    """

    async def none() -> None:
        raise AccountRefused("no_credentials")

    async with serving(S3Like()) as store, reading(store.url, key=none) as reader:
        found = await read(reader)
        assert isinstance(found, AccountRefused)
        assert "(no_credentials)" in reader.reasons_not_ready()[0]
        assert store.targets == []


async def test_an_image_that_is_too_large_is_not_read() -> None:
    """
    By what is announced, or as soon as more has come; not even room is waited for.
    """
    announced = b"HTTP/1.1 200 X\r\ncontent-length: 1073741824\r\n\r\n"
    endless = b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n"
    async with (
        serving(S3Like(None, announced, endless)) as store,
        reading(store.url, Limits(max_bytes=1_000)) as reader,
    ):
        held = BytesHeld(1_000)
        with held.room() as room, pytest.raises(NotFetched) as first:
            await reader.fetch(StoredObject("ugc", "photos", "a"), room)
        assert held.taken == 0
        store.parts = [b"x" * 600] * 3
        second = await read(reader)

    assert isinstance(second, NotFetched)
    assert first.value.code == second.code == "too_large"


async def test_a_drip_ends_when_its_time_is_over() -> None:
    """
    However often something comes.
    """
    store = S3Like(None, b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n")
    store.parts, store.pause = [b"x"] * 500, 0.02
    async with serving(store), reading(store.url, Limits(total_timeout=0.3)) as reader:
        found = await read(reader)

    assert isinstance(found, NotFetched)
    assert (found.code, found.again) == ("timeout", True)


async def test_an_image_that_ends_too_early_is_asked_for_again() -> None:
    """
    It is never taken for the whole.
    """
    async with (
        serving(S3Like(None, b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\nabc")) as store,
        reading(store.url) as reader,
    ):
        found = await read(reader)

    assert isinstance(found, NotFetched)
    assert (found.code, found.again) == ("truncated", True)


async def test_a_refusal_without_end_is_read_no_further_than_is_needed() -> None:
    """
    The code stands at its beginning.
    """
    store = S3Like(None, b"HTTP/1.1 404 X\r\nconnection: close\r\n\r\n<Error><Code>NoSuchKey</Code>")
    store.parts, store.pause = [b"x" * 60_000] * 100, 0.01
    async with serving(store), reading(store.url, Limits(total_timeout=0.5)) as reader:
        found = await read(reader)

    assert isinstance(found, NotFetched)
    assert found.code == "not_found"


async def test_a_refusal_may_come_in_pieces() -> None:
    """
    What the first of them says is not all.
    """
    store = S3Like(None, b"HTTP/1.1 404 X\r\nconnection: close\r\n\r\n<?xml version='1.0'?>")
    store.parts, store.pause = [b"<Error><Code>NoSuch", b"Bucket</Code></Error>"], 0.05
    async with serving(store), reading(store.url) as reader:
        found = await read(reader)

    assert isinstance(found, AccountRefused)
    assert found.code == "NoSuchBucket"


async def test_the_wait_for_room_is_not_counted() -> None:
    """
    Room is taken for what is announced, and the time goes on where it stood.
    """
    held = BytesHeld(len(IMAGE))
    async with (
        serving(S3Like({("photos", "a.png"): IMAGE})) as store,
        reading(store.url, Limits(total_timeout=0.3)) as reader,
    ):
        with held.room() as other, held.room() as room:
            await other.take(len(IMAGE))
            fetching = asyncio.create_task(reader.fetch(StoredObject("ugc", "photos", "a.png"), room))
            await asyncio.sleep(0.6)
            assert not fetching.done()
            other.shrink(0)
            assert await fetching == IMAGE
            assert room.taken == len(IMAGE)


async def test_what_is_packed_is_unpacked() -> None:
    """
    An object's own Content-Encoding is undone, as browsers do; how it was once sent to the store is none.
    """
    packed = {"content-encoding": "aws-chunked,gzip"}
    async with (
        serving(S3Like(None, answer(gzip.compress(IMAGE), headers=packed))) as store,
        reading(store.url) as reader,
    ):
        assert await read(reader) == IMAGE


async def test_a_store_that_is_away_is_asked_again() -> None:
    """
    Its host is the operator's word: whatever keeps us from it may pass, and the reason names the host. Readiness names
    the store once that has lasted.
    """
    async with serving(S3Like()) as store:
        url = store.url
    clock = ManualClock()
    async with reading(url, clock=clock) as reader, reading("http://store.invalid") as nowhere:
        refused, unknown = await read(reader), await read(nowhere)
        told = [reader.reasons_not_ready()]
        clock.time += 6.0
        told.append(reader.reasons_not_ready())

    assert isinstance(refused, NotFetched)
    assert isinstance(unknown, NotFetched)
    assert told == [[], ["images: the store ugc gives nothing of its bucket photos (connect) for 6 s"]]
    assert (refused.code, refused.again, refused.detail) == ("connect", True, "127.0.0.1: connection refused")
    assert (unknown.code, unknown.again) == ("dns", True)


async def test_a_store_leads_nowhere_else() -> None:
    """
    A redirect is not followed: the signed request is for this store alone.
    """
    async with serving(S3Like({("photos", "a.png"): IMAGE})) as other:
        redirect = answer(b"", 302, {"location": f"{other.url}/photos/a.png"})
        async with serving(S3Like(None, redirect)) as store, reading(store.url) as reader:
            found = await read(reader)

    assert isinstance(found, NotFetched)
    assert (found.code, found.again) == ("http_302", True)
    assert other.targets == []
