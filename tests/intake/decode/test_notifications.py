"""Bucket notifications, as AWS, MinIO, Ceph, EventBridge and Alibaba OSS write them."""

from typing import Any

import pytest

from consumer.config.bindings import Binding, Include
from consumer.intake.decode import Bindings
from consumer.locations import ByObject, ByUrl, Image, ObjectRef
from consumer.records import Subject
from tests.intake.decode.messages import (
    BINDINGS,
    BOUND,
    CREATED_IN,
    REMOVE,
    bound,
    ignored,
    message,
    refused,
    sample,
    submitted,
)

RECORDS = {"aws_s3": "Records", "minio": "Records", "ceph": "Records", "oss": "events"}


@pytest.mark.parametrize("name", CREATED_IN)
def test_the_created_object_is_the_image_and_the_subject(name: str) -> None:
    """
    The key is the object's own name, however the store writes it, and bucket and key are what verdicts are about.
    """
    bucket, key = CREATED_IN[name]

    (submission,) = submitted(message(sample(name)))

    assert submission.subject == Subject(id=f"{bucket}/{key}", type=None, revision=None)
    assert submission.image.ref is not None
    assert (submission.image.ref.bucket, submission.image.ref.key) == (bucket, key)
    assert (submission.image.id, submission.of) == ("0", 1)
    assert (submission.context, submission.attrs, submission.extra) == (b"{}", b"{}", b"{}")


@pytest.mark.parametrize(
    "name, tenant, purpose, location",
    [
        ("aws_s3", "shop", "avatar",
         ByUrl("https://avatars.example.com/ugc-uploads/avatars/red%20flower%20%281%29.jpg")),
        ("minio", "shop", "avatar",
         ByUrl("https://avatars.example.com/ugc-uploads/avatars/%E7%85%A7%E7%89%87%201.png")),
        ("ceph", "lab", "default", ByUrl("https://rgw.example.com/ugc-ceph/avatars/1%2B1%3D2.jpg")),
        ("s3_eventbridge", "shop", "avatar",
         ByUrl("https://avatars.example.com/ugc-uploads/avatars/100%25%2Bsure.jpg")),
        ("oss", "bazaar", "listing", ByObject("ugc-oss", "avatars/50% off + more.png", "ap-southeast-1")),
        ("oss_eventbridge", "bazaar", "listing", ByObject("ugc-oss", "avatars/123.jpg", "ap-southeast-1")),
    ],
)  # fmt: skip
def test_the_binding_says_whose_it_is_and_how_it_is_reached(
    name: str, tenant: str, purpose: str, location: ByUrl | ByObject
) -> None:
    """
    A notification knows no tenant: that, the purpose and the way are the binding's with the longest prefix.
    """
    (submission,) = submitted(message(sample(name)))

    assert (submission.tenant, submission.purpose, submission.location) == (tenant, purpose, location)


@pytest.mark.parametrize(
    "name, event_time, image",
    [
        ("aws_s3", "2026-11-20T10:00:00.123Z",
         Image(id="0", size=1024, ref=ObjectRef(store="s3", bucket="ugc-uploads", key="avatars/red flower (1).jpg",
               region="eu-west-1", version="096fKKXTRTtl3on89fVO.nfljtsv6qko",
               etag="d41d8cd98f00b204e9800998ecf8427e"))),
        ("minio", "2026-11-20T10:00:00.569Z",
         Image(id="0", size=248682, mime="image/png",
               ref=ObjectRef(store="s3", bucket="ugc-uploads", key="avatars/照片 1.png",
                             etag="f1671feacb8bbf7b0397c6e9364e8c92"))),
        ("ceph", "2026-11-20T10:00:00.124724Z",
         Image(id="0", size=1024,
               ref=ObjectRef(store="s3", bucket="ugc-ceph", key="avatars/1+1=2.jpg", region="default",
                             etag="37b51d194a7513e45b56f6524f2d51f2"))),
        ("s3_eventbridge", "2026-11-20T10:00:00Z",
         Image(id="0", size=5, ref=ObjectRef(store="s3", bucket="ugc-uploads", key="avatars/100%+sure.jpg",
               region="ca-central-1", version="IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
               etag="b1946ac92492d2347c6235b4d2611184"))),
        ("oss", "2026-11-20T10:00:00.000Z",
         Image(id="0", size=122539, mime="image/png", ref=ObjectRef(store="oss", bucket="ugc-oss",
               key="avatars/50% off + more.png", region="ap-southeast-1", etag="688A7BF4F233DC9C88A80BF985AB7329"))),
    ],
)  # fmt: skip
def test_what_the_notification_says_of_the_object_is_kept(name: str, event_time: str, image: Image) -> None:
    """
    Time, size, type, region, version and ETag come along where the store tells them.
    """
    exact = Bindings(each.model_copy(update={"versions": "exact"}) for each in BOUND)

    (submission,) = submitted(message(sample(name)), exact)

    assert submission.event_time == event_time
    assert submission.image == image


@pytest.mark.parametrize("kind", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
@pytest.mark.parametrize("prefix", ["", "s3:"])
def test_s3_creates_objects_in_four_ways(prefix: str, kind: str) -> None:
    """
    Each of them is an upload, with or without the prefix that MinIO writes.
    """
    event = sample("aws_s3", Records__0__eventName=f"{prefix}ObjectCreated:{kind}")

    assert len(submitted(message(event))) == 1


@pytest.mark.parametrize("kind", ["PutObject", "PostObject", "CopyObject", "AppendObject", "CompleteMultipartUpload"])
def test_oss_creates_objects_in_five_ways(kind: str) -> None:
    """
    Each of them is an upload, an appended one too.
    """
    event = sample("oss", events__0__eventName=f"ObjectCreated:{kind}")

    assert len(submitted(message(event))) == 1


@pytest.mark.parametrize(
    "name, path, kind",
    [
        *(("minio", "Records__0__eventName", kind) for kind in (
            "s3:ObjectCreated:PutTagging", "s3:ObjectCreated:DeleteTagging", "s3:ObjectCreated:PutRetention",
            "s3:ObjectCreated:PutLegalHold", "s3:ObjectRemoved:Delete", "s3:ObjectAccessed:Get", "s3:BucketCreated",
        )),
        *(("aws_s3", "Records__0__eventName", kind) for kind in (
            "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "ObjectRestore:Completed",
            "ObjectTagging:Put", "ObjectAcl:Put", "ReducedRedundancyLostObject", "LifecycleExpiration:Delete",
        )),
        ("ceph", "Records__0__eventName", "ObjectLifecycle:Expiration:Current"),
        *(("s3_eventbridge", "detail-type", kind) for kind in ("Object Deleted", "Object Restore Completed",
                                                               "Object Tags Added")),
        *(("oss", "events__0__eventName", kind) for kind in (
            "ObjectCreated:InitiateMultipartUpload", "ObjectCreated:UploadPart", "ObjectCreated:UploadPartCopy",
            "ObjectRemoved:DeleteObject", "ObjectRemoved:DeleteObjects", "ObjectDownloaded:GetObject",
        )),
        ("oss_eventbridge", "data__eventName", "ObjectRemoved:DeleteObject"),
        ("oss_eventbridge", "data__eventName", "oss:ObjectCreated:UploadPart"),
    ],
)  # fmt: skip
def test_what_creates_no_object_is_ignored(name: str, path: str, kind: str) -> None:
    """
    Removals, parts, tags and downloads ask for nothing, even of a bucket that no binding knows.
    """
    event = sample(name, **{path: kind})

    assert ignored(message(event), Bindings()) == "not_a_creation"


def test_the_test_event_of_s3_is_ignored() -> None:
    """
    S3 sends it once when notifications are set up.
    """
    assert ignored(message(sample("s3_test_event"))) == "test_event"


def test_records_keep_their_index_whatever_is_dropped_around_them() -> None:
    """
    An image's id is its record's place in the message, so a narrower `include` renames nothing; `of` counts what is
    submitted.
    """
    event = sample("aws_s3")
    [record] = event["Records"]
    keys = ["a.jpg", "b.txt", "c.jpg", "d.jpg"]
    event["Records"] = [{**record, "s3": {**record["s3"], "object": {"key": key}}} for key in keys]
    event["Records"][3]["eventName"] = "ObjectRemoved:Delete"

    every = submitted(message(event))
    images = submitted(message(event), bound(include=Include(keys=("*.jpg",))))

    assert [each.image.id for each in every] == ["0", "1", "2"]
    assert [each.image.id for each in images] == ["0", "2"]
    assert {each.of for each in images} == {2}
    assert [each.id for each in images] == [every[0].id, every[2].id]


@pytest.mark.parametrize("name", RECORDS)
def test_one_bad_record_refuses_the_message(name: str) -> None:
    """
    Nothing is submitted of a message of which a part cannot be read: all or nothing, before anything is paid.
    """
    event = sample(name)
    list_name = RECORDS[name]
    good = event[list_name][0]
    missing = {member: value for member, value in good.items() if member != "eventName"}
    event[list_name] = [good, missing, good]

    assert refused(message(event)) == ("missing_member", f"{list_name}[1].eventName: is required")


@pytest.mark.parametrize("name", RECORDS)
def test_a_message_holds_64_records_at_most(name: str) -> None:
    """
    One more refuses the message, whatever the records are.
    """
    event = sample(name)
    list_name = RECORDS[name]
    event[list_name] *= 64

    within = submitted(message(event))
    event[list_name].append(event[list_name][0])

    assert len({each.id for each in within}) == 64
    assert refused(message(event)) == ("too_many", f"{list_name}: more than 64")


@pytest.mark.parametrize(
    "name, path, value, reason, detail",
    [
        ("aws_s3", "Records__0__eventName", REMOVE, "missing_member", "Records[0].eventName: is required"),
        ("aws_s3", "Records__0__eventName", 5, "bad_member", "Records[0].eventName: must be a string"),
        ("aws_s3", "Records__0__eventTime", "yesterday", "bad_member",
         "Records[0].eventTime: must be an RFC 3339 timestamp with an offset"),
        ("aws_s3", "Records__0__s3__bucket", REMOVE, "missing_member", "Records[0].s3.bucket: is required"),
        ("aws_s3", "Records__0__s3__bucket__name", "", "missing_member", "Records[0].s3.bucket.name: is required"),
        ("aws_s3", "Records__0__s3__object", [], "bad_member", "Records[0].s3.object: must be an object"),
        ("aws_s3", "Records__0__s3__object__key", REMOVE, "missing_member", "Records[0].s3.object.key: is required"),
        ("aws_s3", "Records__0__s3__object__key", "k" * 3073, "too_long",
         "Records[0].s3.object.key: longer than 3072 characters"),
        ("aws_s3", "Records__0__s3__object__key", "k" * 1025, "too_long",
         "Records[0].s3.object.key: longer than 1024 characters"),
        ("aws_s3", "Records__0__s3__object__key", "avatars/%FF.jpg", "bad_key",
         "Records[0].s3.object.key: is not UTF-8 once URL-decoded"),
        ("aws_s3", "Records__0__s3__object__key", "avatars/../clean.jpg", "bad_key",
         "Records[0].s3.object.key: no URL can name an object with a segment . or .."),
        ("aws_s3", "Records__0__s3__object__size", "1 KB", "bad_member",
         "Records[0].s3.object.size: must be a number of bytes"),
        ("aws_s3", "Records__0__s3__object__size", "9" * 5000, "bad_member",
         "Records[0].s3.object.size: must be a number of bytes"),
        ("aws_s3", "Records__0__s3__object__size", "١٠٢٤", "bad_member",
         "Records[0].s3.object.size: must be a number of bytes"),
        ("aws_s3", "Records__0__s3__object__size", True, "bad_member",
         "Records[0].s3.object.size: must be a number of bytes"),
        ("aws_s3", "Records__0__s3__bucket__name", "elsewhere", "unbound_bucket",
         "Records[0].s3.object.key: no binding covers the object in 'elsewhere'"),
        ("aws_s3", "Records__0__s3__bucket__name", "https://x.example/?sig=1", "unbound_bucket",
         "Records[0].s3.object.key: no binding covers the object in a name of unusual characters"),
        ("s3_eventbridge", "time", "yesterday", "bad_member", "time: must be an RFC 3339 timestamp with an offset"),
        ("s3_eventbridge", "detail__object__key", REMOVE, "missing_member", "detail.object.key: is required"),
        ("s3_eventbridge", "detail__bucket__name", "elsewhere", "unbound_bucket",
         "detail.object.key: no binding covers the object in 'elsewhere'"),
        ("oss", "events__0__oss__object__key", REMOVE, "missing_member", "events[0].oss.object.key: is required"),
        ("oss", "events__0__oss__object__objectMeta", "image/png", "bad_member",
         "events[0].oss.object.objectMeta: must be an object"),
        ("oss", "events__0__oss__bucket__name", "elsewhere", "unbound_bucket",
         "events[0].oss.object.key: no binding covers the object in 'elsewhere'"),
        ("oss", "events__0__region", REMOVE, "no_region",
         "events[0].oss.object.key: via oss needs a region, from the event or the binding"),
        ("oss_eventbridge", "data__oss__bucket__name", REMOVE, "missing_member",
         "data.oss.bucket.name: is required"),
    ],
)  # fmt: skip
def test_a_notification_that_breaks_a_rule_is_refused(
    name: str, path: str, value: Any, reason: str, detail: str
) -> None:
    """
    The reason is a stable word, and the detail says where in the message the rule is broken.
    """
    event = sample(name, **{path: value})

    assert refused(message(event)) == (reason, detail)


def test_a_record_that_is_no_object_refuses_the_message() -> None:
    """
    Beside a record that can be read, anything else is a rejected part.
    """
    event = sample("aws_s3")
    event["Records"].append("s3")

    assert refused(message(event)) == ("bad_member", "Records[1]: must be an object")


@pytest.mark.parametrize(
    "change",
    [
        {"Records__0__s3__object__key": "avatars/other.jpg"},
        {"Records__0__s3__bucket__name": "ugc-oss"},
        {"Records__0__s3__object__versionId": "another"},
        {"Records__0__s3__object__versionId": None},
        {"Records__0__s3__object__sequencer": "0055AED6DCD90281E6"},
    ],
)
def test_an_s3_record_is_told_from_others_by_what_it_created(change: dict[str, Any]) -> None:
    """
    S3 gives its records no id; bucket, key, version or entity tag, and sequencer stand in for one.
    """
    bindings = Bindings(Binding(bucket=name, via="oss") for name in ("ugc-uploads", "ugc-oss"))

    (as_sent,) = submitted(message(sample("aws_s3")), bindings)
    (again,) = submitted(message(sample("aws_s3", Records__0__eventTime="2026-11-20T10:00:09Z")), bindings)
    (other,) = submitted(message(sample("aws_s3", **change)), bindings)

    assert as_sent.event_id == again.event_id
    assert as_sent.event_id != other.event_id


def test_the_entity_tag_tells_unversioned_uploads_apart() -> None:
    """
    In a bucket without versions only the tag of the content differs between two uploads of a key.
    """
    one, two = (submitted(message(sample("ceph", Records__0__s3__object__eTag=tag)))[0] for tag in ("37b51d", "d41d8c"))

    assert one.event_id != two.event_id


@pytest.mark.parametrize(
    "name, event_id",
    [
        ("oss", "58F9FF2D3DF792092E12044C/avatars/50% off + more.png"),
        ("oss_eventbridge", "4b26e6d8-0c8a-4a5d-bb2d-3d1f0d1b1c11"),
        ("s3_eventbridge", "17793124-05d4-b198-2fde-7ededc63b103"),
    ],
)
def test_a_store_that_names_its_events_is_quoted(name: str, event_id: str) -> None:
    """
    OSS has a request's id, of which a key is one part; both EventBridges have an id of the event.
    """
    (submission,) = submitted(message(sample(name)))

    assert submission.event_id == event_id


@pytest.mark.parametrize(
    "include, outcome",
    [
        ({"keys": ["*.png"]}, "submitted"),
        ({"keys": ["avatars/*"]}, "submitted"),
        ({"keys": ["*.gif", "*.png"]}, "submitted"),
        ({"keys": ["*.PNG"]}, "submitted"),
        ({"keys": ["listings/*"]}, "not_included"),
        ({"content_types": ["image/*"]}, "submitted"),
        ({"content_types": ["IMAGE/PNG"]}, "submitted"),
        ({"content_types": ["image/jpeg"]}, "not_included"),
        ({"keys": ["*.png"], "content_types": ["image/jpeg"]}, "not_included"),
        ({}, "submitted"),
    ],
)
def test_include_says_which_objects_are_images(include: dict[str, list[str]], outcome: str) -> None:
    """
    Keys and content types by glob without their case, types without parameters; both must fit.
    """
    event = message(sample("minio", Records__0__s3__object__contentType="Image/PNG; charset=binary"))
    bindings = bound(include=include)

    if outcome == "submitted":
        assert len(submitted(event, bindings)) == 1
    else:
        assert ignored(event, bindings) == outcome


def test_a_content_type_that_nobody_told_fits() -> None:
    """
    AWS tells no content type, and leaving its objects out would let images through unseen.
    """
    event = message(sample("aws_s3"))

    assert len(submitted(event, bound(include=Include(content_types=("image/*",))))) == 1


@pytest.mark.parametrize(
    "name, decode_keys, key",
    [
        ("minio", None, "avatars/照片 1.png"),
        ("minio", True, "avatars/照片 1.png"),
        ("minio", False, "avatars%2F%E7%85%A7%E7%89%87+1.png"),
        ("s3_eventbridge", None, "avatars/100%+sure.jpg"),
        ("s3_eventbridge", True, "avatars/100% sure.jpg"),
    ],
)
def test_a_binding_may_say_how_keys_are_read(name: str, decode_keys: bool | None, key: str) -> None:
    """
    Stores differ in whether they URL-encode keys; the binding has the last word.
    """
    (submission,) = submitted(message(sample(name)), bound(decode_keys=decode_keys))

    assert submission.subject.id == f"ugc-uploads/{key}"


def test_a_prefix_is_compared_with_the_key_as_the_binding_reads_it() -> None:
    """
    A prefix with a plus sign finds the raw keys of a store that encodes none, and a byte that is no UTF-8 escape stays.
    """
    event = message(sample("ceph", Records__0__s3__object__key="a+b/%FF.jpg"))
    bindings = Bindings([Binding(bucket="ugc-ceph", prefix="a+b/", via="oss", region="cn-beijing", decode_keys=False)])

    (submission,) = submitted(event, bindings)

    assert submission.subject.id == "ugc-ceph/a+b/%FF.jpg"


def test_the_events_region_comes_before_the_bindings() -> None:
    """
    A binding's region stands in only where the event has none.
    """
    bindings = Bindings([Binding(bucket="ugc-oss", via="oss", region="cn-shanghai")])

    (told,) = submitted(message(sample("oss")), bindings)
    (untold,) = submitted(message(sample("oss", events__0__region="")), bindings)

    assert [each.location for each in (told, untold)] == [
        ByObject("ugc-oss", "avatars/50% off + more.png", "ap-southeast-1"),
        ByObject("ugc-oss", "avatars/50% off + more.png", "cn-shanghai"),
    ]


def test_a_url_that_grows_too_long_is_refused() -> None:
    """
    Vendor: 2,048 characters. A key within its own limit can exceed them once it is percent-encoded.
    """
    event = message(sample("aws_s3", Records__0__s3__object__key="照" * 230))

    assert refused(event, BINDINGS) == (
        "too_long",
        "Records[0].s3.object.key in the binding's url: longer than 2048 characters",
    )
