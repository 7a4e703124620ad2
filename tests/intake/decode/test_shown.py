"""What is judged is what the verdict shows: one of url and object, and the version that was named or none."""

from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config.bindings import Binding
from consumer.errors import Undecodable
from consumer.intake.decode import Bindings
from consumer.locations import ByObject, ByUrl, NotAskable, ObjectRef
from consumer.records import Submission
from tests.intake.decode.messages import bound, message, refused, sample, submitted
from tests.rig.events import delivery

URL = "https://cdn.example.com/a"
TEMPLATE = "https://cdn.example.com/{key}?versionId={version}"
VERSIONED = {
    "aws_s3": "Records__0__s3__object__versionId",
    "s3_eventbridge": "detail__object__version-id",
}
"""Notifications that name versions, and where."""


def native(version: str | None = None, **image: Any) -> Any:
    """A native event of one image, an object."""
    ref = {"store": "oss", "bucket": "ugc", "key": "a/b c.jpg", "region": "ap-southeast-1", "version": version}
    return sample("native", images=[{"ref": ref, **image}])


def read(event: Any, bindings: Bindings) -> Submission:
    (only,) = submitted(message(event), bindings)
    return only


BOUND = Bindings([Binding(bucket="ugc", via="url", url="https://origin.example.com/{key}")])
VIA_OSS = Bindings([Binding(bucket="ugc", via="oss")])


@pytest.mark.parametrize(
    "bindings, location",
    [
        (BOUND, ByUrl("https://origin.example.com/a/b%20c.jpg")),
        (VIA_OSS, ByObject("ugc", "a/b c.jpg", "ap-southeast-1")),
    ],
    ids=["url", "oss"],
)
def test_of_url_and_object_the_bound_object_is_judged_and_shown(bindings: Bindings, location: Any) -> None:
    """
    The producer's URL could lead to any other image: it is neither asked about nor in the verdict.
    """
    both = read(native(url=URL), bindings)

    assert both.location == location
    assert (both.image.url, both.image.ref and both.image.ref.key) == (None, "a/b c.jpg")
    assert replace(both, delivery=delivery()) == replace(read(native(), bindings), delivery=delivery())


@pytest.mark.parametrize(
    "bindings",
    [
        Bindings(),
        Bindings(opened=["ugc"]),
        Bindings([Binding(bucket="ugc", prefix="other/", via="oss")]),
        Bindings([Binding(bucket="another", via="oss")]),
    ],
    ids=["none", "opened", "another prefix", "another bucket"],
)
def test_url_and_object_without_a_binding_are_ambiguous(bindings: Bindings) -> None:
    """
    Nothing but the producer's word would say that they are one image.
    """
    assert refused(message(native(url=URL)), bindings) == (
        "ambiguous",
        "images[0]: has url and ref, and no binding for 'ugc' says which image the object is",
    )


def test_a_url_that_is_not_asked_about_must_be_one_all_the_same() -> None:
    """
    A member that breaks its rule is refused, whatever stands beside it.
    """
    assert refused(message(native(url="ftp://h/")), BOUND)[0] == "bad_url"


@pytest.mark.parametrize("name", VERSIONED)
def test_a_notifications_version_is_asked_for(name: str) -> None:
    """
    The template's `{version}` is the version that the verdict names, percent-encoded.
    """
    told = read(sample(name, **{VERSIONED[name]: "v/1 +&é"}), bound(url=TEMPLATE))

    assert isinstance(told.location, ByUrl)
    assert told.location.url.endswith("?versionId=v%2F1%20%2B%26%C3%A9")
    assert told.image.ref is not None
    assert told.image.ref.version == "v/1 +&é"


def test_a_native_events_version_is_asked_for() -> None:
    """
    As a notification's is; here as a part of the path.
    """
    bindings = Bindings([Binding(bucket="ugc", via="url", url="https://cdn.example.com/{version}/{key}")])

    assert read(native("v1"), bindings).location == ByUrl("https://cdn.example.com/v1/a/b%20c.jpg")


@pytest.mark.parametrize("name", VERSIONED)
def test_a_notifications_version_that_cannot_be_asked_for_is_not_judged_as_another(name: str) -> None:
    """
    A template without `{version}` leads to the newest, and the provider's own way knows no versions.
    """
    by_url, by_oss = (read(sample(name), bound(**way)) for way in ({}, {"via": "oss", "url": None}))

    assert by_url.location == by_oss.location == NotAskable("version_not_askable")
    assert by_url.image.ref is not None
    assert by_url.image.ref.version is not None


@pytest.mark.parametrize("bindings", [BOUND, VIA_OSS, Bindings(opened=["ugc"])], ids=["url", "oss", "opened"])
def test_a_native_events_version_that_cannot_be_asked_for_is_not_judged_as_another(bindings: Bindings) -> None:
    """
    Whichever way the object has, the image is one that nobody can be asked about.
    """
    assert read(native("v1"), bindings).location == NotAskable("version_not_askable")
    assert not isinstance(read(native(None), bindings).location, NotAskable)


@pytest.mark.parametrize("event", [native(), sample("minio")], ids=["native", "minio"])
def test_a_template_that_needs_a_version_is_not_filled_without_one(event: Any) -> None:
    """
    An empty one would be an error, or the newest version, to whoever is asked.
    """
    bindings = Bindings(Binding(bucket=bucket, via="url", url=TEMPLATE) for bucket in ("ugc", "ugc-uploads"))

    assert read(event, bindings).location == NotAskable("version_missing")


@pytest.mark.parametrize("way", [{}, {"via": "oss", "url": None}], ids=["url", "oss"])
@pytest.mark.parametrize("name", VERSIONED)
def test_where_the_latest_version_is_judged_none_is_named(name: str, way: dict[str, Any]) -> None:
    """
    The operator says that only the newest is shown, and the verdict does not say of another that it was judged.
    """
    told = read(sample(name), bound(versions="latest", **way))

    assert not isinstance(told.location, NotAskable)
    assert told.image.ref is not None
    assert told.image.ref.version is None


@pytest.mark.parametrize(
    "template, key, version",
    [
        ("https://h/{version}/{key}", "a", ".."),
        ("https://h/{version}/{key}", "a", "."),
        ("https://h/.{version}/{key}", "a", "."),
        ("https://h/x/{version}{key}", "/a", "."),
        ("https://h/{key}{version}", "a/.", "."),
        ("https://h/.{key}", "/a", None),
        ("https://h/{key}.", "a/.", None),
    ],
)
def test_no_version_and_no_template_makes_a_way_to_another_object(template: str, key: str, version: str | None) -> None:
    """
    A segment of dots is resolved by whoever downloads, whatever it is put together from.
    """
    place = Bindings([Binding(bucket="b", via="url", url=template)]).find("b", key)
    assert place is not None

    with pytest.raises(Undecodable) as refusal:
        place.location(ObjectRef(store="s3", bucket="b", key=key, version=version), "key")

    assert refusal.value.reason == "bad_key"


TEXT = st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable())
TEMPLATES = ("https://h/{key}?v={version}", "https://h/{version}/{key}", "https://h/x?v={version}&k={key}")


@given(key=TEXT, version=TEXT, template=st.sampled_from(TEMPLATES))
def test_key_and_version_choose_nothing_but_themselves(key: str, version: str, template: str) -> None:
    """
    Whatever they hold, host and the rest of the URL are the template's, and what is asked for is the two as they are.
    """
    place = Bindings([Binding(bucket="b", via="url", url=template)]).find("b", key)
    assert place is not None
    try:
        location = place.location(ObjectRef(store="s3", bucket="b", key=key, version=version), "key")
    except Undecodable:
        assert {".", ".."} & {*key.split("/"), *version.split("/")}
        return

    assert isinstance(location, ByUrl)
    asked = urlsplit(location.url)
    assert (asked.scheme, asked.netloc, asked.fragment) == ("https", "h", "")
    wanted = template.removeprefix("https://h").format(key=key, version=version)
    assert unquote(f"{asked.path}?{asked.query}" if asked.query else asked.path) == wanted


def test_a_claimed_digest_is_called_so() -> None:
    """
    The producer's `sha256` is carried along, under a name that nobody takes for a fact.
    """
    assert read(native(sha256="9f"), VIA_OSS).image.sha256_claimed == "9f"
