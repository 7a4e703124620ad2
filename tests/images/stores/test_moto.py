"""Reading from moto's S3, which others have written: what S3 answers is what we read."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from consumer.errors import AccountRefused
from consumer.images.errors import NotFetched
from consumer.images.stores.sigv4 import Key
from tests.images.stores.serving import IMAGE, KEY, etag_of, read, reading
from tests.rig.replica import ROOT
from tests.rig.s3 import make_bucket, remove_bucket, s3_client


@pytest.fixture
def s3(moto: str) -> Iterator[Any]:
    with s3_client(moto, KEY.id, KEY.secret) as client:
        make_bucket(client, "photos")
        yield client
        remove_bucket(client, "photos")


@pytest.fixture
def limited(moto: str, s3: Any) -> Key:
    """The key of a user that has the policy of docs/security.md and nothing else."""
    [policy] = re.findall(r"```json policy s3\n(.*?)```", (ROOT / "docs" / "security.md").read_text(), re.DOTALL)
    make_bucket(s3, "ugc-private", versions=True)
    with s3_client(moto, KEY.id, KEY.secret, "iam") as iam:
        iam.create_user(UserName="reader")
        iam.put_user_policy(UserName="reader", PolicyName="least", PolicyDocument=policy)
        made = iam.create_access_key(UserName="reader")["AccessKey"]
    return Key(made["AccessKeyId"], made["SecretAccessKey"])


async def test_the_policy_that_the_docs_show_is_enough_and_gives_no_more(
    moto: str, s3: Any, limited: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Objects below the prefix are read, also a version that is named. Nothing else is, nothing is listed or changed.
    """
    version = s3.put_object(Bucket="ugc-private", Key="avatars/a.png", Body=IMAGE)["VersionId"]
    s3.put_object(Bucket="ugc-private", Key="invoices/a.pdf", Body=b"private")
    s3.put_object(Bucket="photos", Key="avatars/a.png", Body=IMAGE)

    async def key() -> Key:
        return limited

    with monkeypatch.context() as authorized:
        authorized.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0)  # from now on rights count
        async with reading(moto, key=key) as reader:
            allowed = [
                await read(reader, "avatars/a.png", bucket="ugc-private"),
                await read(reader, "avatars/a.png", bucket="ugc-private", version=version),
            ]
            refused = [
                await read(reader, "invoices/a.pdf", bucket="ugc-private"),
                await read(reader, "avatars/a.png", bucket="photos"),
            ]
            with pytest.raises(NotFetched) as looked:
                await reader.look("ugc", "ugc-private")
        denied = []
        with s3_client(moto, limited.id, limited.secret) as theirs:
            for act, more in (
                (theirs.put_object, {"Key": "avatars/a.png", "Body": b"another"}),
                (theirs.delete_object, {"Key": "avatars/a.png"}),
                (theirs.list_object_versions, {}),
            ):
                with pytest.raises(ClientError) as error:
                    act(Bucket="ugc-private", **more)
                denied.append(error.value.response["Error"]["Code"])

    assert allowed == [IMAGE, IMAGE]
    assert [each.code for each in refused if not isinstance(each, bytes)] == ["denied", "AccessDenied"]
    assert looked.value.code == "denied"
    assert denied == ["AccessDenied"] * 3


@pytest.mark.parametrize(
    "key", ["a.png", "a b+c.png", "a//b.png", "/a.png", "a/", "100%.png", "a?b#c", "相片.png", "a/../b", "a%2Fb"]
)
async def test_an_object_is_read_by_its_key(moto: str, s3: Any, key: str) -> None:
    """
    That boto3 has put.
    """
    s3.put_object(Bucket="photos", Key=key, Body=IMAGE)
    async with reading(moto) as reader:
        assert await read(reader, key) == IMAGE


async def test_each_version_is_read_by_its_name(moto: str, s3: Any) -> None:
    """
    Also once a newer one is there; one that was deleted is not found, and neither is a marker of deletion.
    """
    s3.put_bucket_versioning(Bucket="photos", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="photos", Key="a.png", Body=IMAGE)["VersionId"]
    s3.put_object(Bucket="photos", Key="a.png", Body=b"another")
    marker = s3.delete_object(Bucket="photos", Key="a.png")["VersionId"]
    async with reading(moto) as reader:
        assert await read(reader, version=first) == IMAGE
        gone = [await read(reader), await read(reader, version=marker)]
        s3.delete_object(Bucket="photos", Key="a.png", VersionId=first)
        gone.append(await read(reader, version=first))

    assert [each.code for each in gone if isinstance(each, NotFetched)] == ["not_found"] * 3


async def test_an_object_that_was_written_again_is_not_judged(moto: str, s3: Any) -> None:
    """
    By the ETag that its event has.
    """
    s3.put_object(Bucket="photos", Key="a.png", Body=IMAGE)
    async with reading(moto) as reader:
        assert await read(reader, etag=etag_of(IMAGE)) == IMAGE
        s3.put_object(Bucket="photos", Key="a.png", Body=b"another")
        found = await read(reader, etag=etag_of(IMAGE))

    assert isinstance(found, NotFetched)
    assert found.code == "changed"


async def test_an_object_in_the_archive_and_a_bucket_that_is_missing_are_told_apart(moto: str, s3: Any) -> None:
    """
    The first is the object's fault, the second is not.
    """
    s3.put_object(Bucket="photos", Key="a.png", Body=IMAGE, StorageClass="GLACIER")
    async with reading(moto) as reader:
        archived, missing = await read(reader), await read(reader, bucket="nowhere")
        await reader.look("ugc", "photos")
        with pytest.raises(AccountRefused) as looked:
            await reader.look("ugc", "nowhere")

    assert isinstance(archived, NotFetched)
    assert archived.code == "archived"
    assert isinstance(missing, AccountRefused)
    assert missing.code == looked.value.code == "NoSuchBucket"
