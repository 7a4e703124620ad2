"""Where a store's buckets are called."""

import pytest

from consumer.images.stores.addresses import Endpoint


@pytest.mark.parametrize(
    ("url", "bucket", "expected"),
    [
        ("https://s3.eu-west-1.amazonaws.com", "ugc", "https://ugc.s3.eu-west-1.amazonaws.com/"),
        ("https://oss-cn-shanghai.aliyuncs.com", "ugc-1", "https://ugc-1.oss-cn-shanghai.aliyuncs.com/"),
        ("http://store.example.com:9000", "my.bucket", "http://my.bucket.store.example.com:9000/"),
        ("https://store.example.com", "my.bucket", "https://store.example.com/my.bucket/"),
        ("https://store.example.com", "Capitals", "https://store.example.com/Capitals/"),
        ("https://store.example.com", "a_b", "https://store.example.com/a_b/"),
        ("https://store.example.com", "x@evil.example/", "https://store.example.com/x%40evil.example%2F/"),
        ("http://127.0.0.1:9000", "ugc", "http://127.0.0.1:9000/ugc/"),
        ("http://[::1]:9000", "ugc", "http://[::1]:9000/ugc/"),
        ("http://localhost:9000", "ugc", "http://localhost:9000/ugc/"),
    ],
)
def test_a_bucket_stands_in_front_of_the_host_where_it_can(url: str, bucket: str, expected: str) -> None:
    """
    Not in front of an address, nor where no name and no certificate can have it; and it can choose no other host.
    """
    assert Endpoint(url, has_bucket_in_path=False).of(bucket).url == expected


def test_a_bucket_stands_in_the_path_where_the_store_wants_it() -> None:
    """
    As MinIO and Ceph do without a name of its own for each bucket.
    """
    assert (
        Endpoint("https://minio.example.com", has_bucket_in_path=True).of("ugc").url == "https://minio.example.com/ugc/"
    )
