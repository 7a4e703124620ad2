"""What tests put into stores that speak like Amazon's S3, and what is told of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import orjson
from botocore.config import Config

from tests.rig.kafka import NewRecord


@contextmanager
def s3_client(url: str, key_id: str, secret: str, service: str = "s3") -> Iterator[Any]:
    """boto3's client of a store there."""
    client = boto3.client(
        service, endpoint_url=url, region_name="us-east-1", aws_access_key_id=key_id, aws_secret_access_key=secret,
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )  # fmt: skip
    try:
        yield client
    finally:
        client.close()


def put(client: Any, bucket: str, key: str, data: bytes) -> dict[str, Any]:
    """Put an object into a bucket that is there, and return what a notification says of it."""
    told = client.put_object(Bucket=bucket, Key=key, Body=data)
    item = {"key": key, "eTag": told["ETag"].strip('"'), "size": len(data)}
    return item | ({"versionId": told["VersionId"]} if "VersionId" in told else {})


def make_bucket(client: Any, bucket: str, *, versions: bool = False) -> None:
    """Create a bucket; with `versions` it keeps each one of an object."""
    client.create_bucket(Bucket=bucket)
    if versions:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def remove_bucket(client: Any, bucket: str) -> None:
    """Delete a bucket with all versions that it has."""
    listed = client.list_object_versions(Bucket=bucket)
    for each in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
        client.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
    client.delete_bucket(Bucket=bucket)


def notification(bucket: str, item: dict[str, Any]) -> NewRecord:
    """What a bucket's owner is told of a new object, as Amazon's S3 has it."""
    record = {
        "eventName": "ObjectCreated:Put", "eventTime": "2026-11-20T10:00:00Z",
        "s3": {"bucket": {"name": bucket}, "object": item},
    }  # fmt: skip
    return NewRecord(orjson.dumps({"Records": [record]}), key=bucket.encode())
