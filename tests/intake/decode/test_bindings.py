"""Which binding covers an object, and the URL that its template makes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config.bindings import Binding
from consumer.errors import Undecodable
from consumer.intake.decode import Bindings
from consumer.locations import ByObject, ByUpload, ByUrl, ImageLocation, ObjectRef, StoredObject

OBJECT = ObjectRef(store="s3", bucket="ugc", key="a/b & c?.jpg")
KEYS = st.text(alphabet="ab/", max_size=6)


@given(prefixes=st.sets(KEYS, max_size=8), key=KEYS)
def test_the_longest_fitting_prefix_wins(prefixes: set[str], key: str) -> None:
    """
    However many prefixes of a bucket fit, the binding with the longest is found, and none where none fits.
    """
    bindings = Bindings(Binding(bucket="b", prefix=prefix, via="oss") for prefix in prefixes)

    place = bindings.find("b", key)

    fitting = [prefix for prefix in prefixes if key.startswith(prefix)]
    assert (place and place.binding.prefix) == max(fitting, key=len, default=None)
    assert bindings.find("other", key) is None


@pytest.mark.parametrize(
    "template, url",
    [
        ("https://cdn.example.com/{key}", "https://cdn.example.com/a/b%20%26%20c%3F.jpg"),
        ("https://{bucket}.cdn.example.com/{key}", "https://ugc.cdn.example.com/a/b%20%26%20c%3F.jpg"),
        (
            "https://cdn.example.com/get?o={bucket}/{key}&w=9",
            "https://cdn.example.com/get?o=ugc/a/b%20%26%20c%3F.jpg&w=9",
        ),
        ("https://cdn.example.com/{key}/{key}", "https://cdn.example.com/a/b%20%26%20c%3F.jpg/a/b%20%26%20c%3F.jpg"),
        ("https://cdn.example.com/图/{key}", "https://cdn.example.com/%E5%9B%BE/a/b%20%26%20c%3F.jpg"),
        ("https://cdn.example.com/{{x}}/{key}", "https://cdn.example.com/{x}/a/b%20%26%20c%3F.jpg"),
    ],
)
def test_a_template_takes_the_percent_encoded_key(template: str, url: str) -> None:
    """
    The names are filled in and everything else stays, in ASCII; a format specification would change the key.
    """
    place = Bindings([Binding(bucket="ugc", via="url", url=template)]).find("ugc", "a/b & c?.jpg")

    assert place is not None
    assert place.location(OBJECT, "key") == ByUrl(url)


@pytest.mark.parametrize("key", [".", "..", "../a", "a/../b", "a/..", "./a", "a/./b"])
def test_a_key_that_urls_would_resolve_away_is_refused(key: str) -> None:
    """
    Whoever downloads resolves such segments first, so the provider would judge another object than was uploaded.
    """
    place = Bindings([Binding(bucket="ugc", via="url", url="https://cdn.example.com/{key}")]).find("ugc", key)
    assert place is not None

    with pytest.raises(Undecodable) as refusal:
        place.location(ObjectRef(store="s3", bucket="ugc", key=key), "key")

    assert refusal.value.reason == "bad_key"


@pytest.mark.parametrize("key", ["a..b", "...", ".hidden", "a/.b", "a//b", "/a"])
def test_dots_and_slashes_within_names_are_only_characters(key: str) -> None:
    """
    What only looks like a relative path reaches its own object.
    """
    place = Bindings([Binding(bucket="ugc", via="url", url="https://cdn.example.com/{key}")]).find("ugc", key)

    assert place is not None
    assert place.location(ObjectRef(store="s3", bucket="ugc", key=key), "key") == ByUrl(
        f"https://cdn.example.com/{key}"
    )


STORED = ObjectRef(store="s3", bucket="ugc", key="a/../b", region="r", version="v", etag="e")
IN_STORE = ByUpload(StoredObject("minio", "ugc", "a/../b", "v", "e"))
NEWEST = ByUpload(StoredObject("minio", "ugc", "a/../b"))


@pytest.mark.parametrize(
    ("binding", "expected"),
    [
        ({"via": "upload", "store": "minio"}, IN_STORE),
        ({"via": "upload", "store": "minio", "versions": "latest"}, NEWEST),
        ({"via": "oss", "fallback": "upload", "store": "minio"}, IN_STORE),
        (
            {"via": "oss", "fallback": "upload", "store": "minio", "versions": "latest"},
            ByObject("ugc", "a/../b", "r", NEWEST),
        ),
    ],
)
def test_an_object_is_read_from_the_bindings_store(binding: dict[str, str], expected: ImageLocation) -> None:
    """
    By version and ETag, or as the newest where that is wanted. What the provider cannot be asked about, a version of
    its own store's, is read at once; a key that no URL can have is only a key.
    """
    place = Bindings([Binding.model_validate({"bucket": "ugc", **binding})]).find("ugc", STORED.key)

    assert place is not None
    assert place.location(place.named(STORED), "key") == expected


@pytest.mark.parametrize(
    ("version", "store", "expected"),
    [
        (None, "minio", ByUrl("https://a/k", ByUpload(StoredObject("minio", "ugc", "k", None, "e")))),
        (None, None, ByUrl("https://a/k", ByUpload("https://a/k"))),
        ("v", "minio", ByUpload(StoredObject("minio", "ugc", "k", "v", "e"))),
    ],
)
def test_what_the_provider_cannot_fetch_is_read_from_the_store(
    version: str | None, store: str | None, expected: ImageLocation
) -> None:
    """
    Or from the same URL, where the binding names no store.
    """
    bound = Binding(bucket="ugc", via="url", url="https://a/{key}", fallback="upload", store=store)
    place = Bindings([bound]).find("ugc", "k")

    assert place is not None
    assert place.location(ObjectRef(store="s3", bucket="ugc", key="k", version=version, etag="e"), "key") == expected


@pytest.mark.parametrize(
    ("how", "location"),
    [
        ({"via": "upload"}, ByUpload("https://cdn.example.com/a/b%20%26%20c%3F.jpg")),
        (
            {"via": "url", "fallback": "upload"},
            ByUrl(
                "https://cdn.example.com/a/b%20%26%20c%3F.jpg",
                or_upload=ByUpload("https://cdn.example.com/a/b%20%26%20c%3F.jpg"),
            ),
        ),
    ],
)
def test_an_object_may_be_uploaded_at_once_or_where_the_provider_cannot_fetch_it(
    how: dict[str, Any], location: ImageLocation
) -> None:
    """
    From the URL that its template makes, as for the provider.
    """
    binding = Binding.model_validate({"bucket": "ugc", "url": "https://cdn.example.com/{key}", **how})
    place = Bindings([binding]).find("ugc", "a/b & c?.jpg")

    assert place is not None
    assert place.location(OBJECT, "key") == location
