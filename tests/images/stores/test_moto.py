"""Reading from moto's S3, which others have written: what S3 answers is what we read."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from consumer.errors import AccountRefused
from consumer.images.errors import NotFetched
from tests.images.stores.serving import IMAGE, KEY, etag_of, read, reading


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture
def s3(url: str) -> Iterator[Any]:
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=KEY.id, aws_secret_access_key=KEY.secret,
        config=Config(s3={"addressing_style": "path"}),
    )  # fmt: skip
    client.create_bucket(Bucket="photos")
    yield client
    for each in client.list_object_versions(Bucket="photos").get("Versions", []):
        client.delete_object(Bucket="photos", Key=each["Key"], VersionId=each["VersionId"])
    for each in client.list_object_versions(Bucket="photos").get("DeleteMarkers", []):
        client.delete_object(Bucket="photos", Key=each["Key"], VersionId=each["VersionId"])
    client.delete_bucket(Bucket="photos")
    client.close()


@pytest.mark.parametrize(
    "key", ["a.png", "a b+c.png", "a//b.png", "/a.png", "a/", "100%.png", "a?b#c", "相片.png", "a/../b", "a%2Fb"]
)
async def test_an_object_is_read_by_its_key(url: str, s3: Any, key: str) -> None:
    """
    That boto3 has put.
    """
    s3.put_object(Bucket="photos", Key=key, Body=IMAGE)
    async with reading(url) as reader:
        assert await read(reader, key) == IMAGE


async def test_each_version_is_read_by_its_name(url: str, s3: Any) -> None:
    """
    Also once a newer one is there; one that was deleted is not found, and neither is a marker of deletion.
    """
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="photos", Key="a.png", Body=IMAGE)["VersionId"]
    s3.put_object(Bucket="photos", Key="a.png", Body=b"another")
    marker = s3.delete_object(Bucket="photos", Key="a.png")["VersionId"]
    async with reading(url) as reader:
        assert await read(reader, version=first) == IMAGE
        gone = [await read(reader), await read(reader, version=marker)]
        s3.delete_object(Bucket="photos", Key="a.png", VersionId=first)
        gone.append(await read(reader, version=first))

    assert [each.code for each in gone if isinstance(each, NotFetched)] == ["not_found"] * 3


async def test_an_object_that_was_written_again_is_not_judged(url: str, s3: Any) -> None:
    """
    By the ETag that its event has.
    """
    s3.put_object(Bucket="photos", Key="a.png", Body=IMAGE)
    async with reading(url) as reader:
        assert await read(reader, etag=etag_of(IMAGE)) == IMAGE
        s3.put_object(Bucket="photos", Key="a.png", Body=b"another")
        found = await read(reader, etag=etag_of(IMAGE))

    assert isinstance(found, NotFetched)
    assert found.code == "changed"


async def test_an_object_in_the_archive_and_a_bucket_that_is_missing_are_told_apart(url: str, s3: Any) -> None:
    """
    The first is the object's fault, the second is not.
    """
    s3.put_object(Bucket="photos", Key="a.png", Body=IMAGE, StorageClass="GLACIER")
    async with reading(url) as reader:
        archived, missing = await read(reader), await read(reader, bucket="nowhere")
        await reader.look("ugc", "photos")
        with pytest.raises(AccountRefused) as looked:
            await reader.look("ugc", "nowhere")

    assert isinstance(archived, NotFetched)
    assert archived.code == "archived"
    assert isinstance(missing, AccountRefused)
    assert missing.code == looked.value.code == "NoSuchBucket"
