"""A bucket's list: page by page, as moto's S3 has it, and what is no list."""

from collections.abc import Iterator
from typing import Any

import pytest

from consumer.images.errors import NotFetched
from consumer.images.stores.listing import Listed, Page, page_in, page_query
from tests.images.stores.serving import KEY, reading
from tests.rig.s3 import make_bucket, remove_bucket, s3_client

ODD = ["a b+c.png", "a/../b.png", "100%.png", "<a>&amp;.png", "相片.png", "x?y#z.png"]


@pytest.fixture
def s3(moto: str) -> Iterator[Any]:
    with s3_client(moto, KEY.id, KEY.secret) as client:
        make_bucket(client, "listed")
        yield client
        remove_bucket(client, "listed")


async def test_every_object_below_a_prefix_is_listed_once_by_its_key(
    moto: str, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    More than a page has, and keys that XML and URLs write otherwise.
    """
    monkeypatch.setattr("consumer.images.stores.listing.MOST_KEYS", 4)
    keys = [f"old/{key}" for key in ODD]
    for key in [*keys, "new/a.png"]:
        s3.put_object(Bucket="listed", Key=key, Body=b"image")
    found: list[Listed] = []
    pages, after = 0, None
    async with reading(moto) as reader:
        while not pages or after is not None:
            objects, after = await reader.page("ugc", "listed", "old/", after)
            found += objects
            pages += 1

    assert pages == 2
    assert sorted(each.key for each in found) == sorted(keys)
    assert {(each.size, each.etag) for each in found} == {(5, "78805a221a988e79ef3f42d7c5bfd418")}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"<ListBucketResult><Contents><Key>a</Key><Size>1</Size></Contents>",
        b"<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
        b"<ListBucketResult><Contents><Key>a</Key><Size>1</Size></ListBucketResult>",
        b"<ListBucketResult>" + b"<Contents>" * 100_000 + b"</ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
)
def test_what_is_no_whole_list_is_none(body: bytes) -> None:
    """
    An object that is not listed would never be judged.
    """
    with pytest.raises(NotFetched):
        page_in(body)


def test_keys_are_taken_as_they_are_unless_the_store_encodes_them() -> None:
    """
    A store that does not know `encoding-type` answers without it.
    """
    entry = b"<Contents><Key>a+b%20&amp;c</Key><ETag>&quot;e&quot;</ETag><Size>7</Size></Contents>"
    plain = b"<ListBucketResult>" + entry + b"</ListBucketResult>"
    encoded = plain.replace(b"</L", b"<EncodingType>url</EncodingType></L")

    assert page_in(plain) == Page([Listed("a+b%20&c", 7, "e")], None)
    assert page_in(encoded).objects[0].key == "a b &c"
    assert page_query("p/", "t")["continuation-token"] == "t"
