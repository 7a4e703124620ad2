"""What a message may claim, whatever its format: buckets that nothing binds, revisions."""

from collections.abc import Callable
from typing import Any

import pytest

from consumer.intake.decode import Bindings
from tests.intake.decode.messages import CREATED_IN, message, refused, sample, submitted


@pytest.mark.parametrize("bucket", ["ugc", "ugc-eu", "UGC", "other"])
def test_only_a_bucket_that_is_opened_needs_no_binding(bucket: str) -> None:
    """
    Native events name objects of the provider's store in such buckets alone, by globs with regard to case.
    """
    image = {"ref": {"store": "oss", "bucket": bucket, "key": "k", "region": "ap-southeast-1"}}
    read = message(sample("native", images=[image]))

    assert refused(read, Bindings()) == (
        "unbound_bucket",
        f"images[0].ref.bucket: no binding covers the object in '{bucket}'",
    )
    if bucket.startswith("ugc"):
        assert len(submitted(read, Bindings(opened=["ugc*"]))) == 1
    else:
        assert refused(read, Bindings(opened=["ugc*"]))[0] == "unbound_bucket"


@pytest.mark.parametrize(
    "ref, reason",
    [
        ({"store": "s3", "region": "ap-southeast-1"}, "unbound_bucket"),
        ({"store": "OSS", "region": "ap-southeast-1"}, "unbound_bucket"),
        ({"store": "oss"}, "no_region"),
    ],
)
def test_an_opened_bucket_is_one_of_the_providers_store(ref: dict[str, str], reason: str) -> None:
    """
    Its region must be there, and no other store's bucket is reached by its name.
    """
    read = message(sample("native", images=[{"ref": {"bucket": "ugc", "key": "k", **ref}}]))

    assert refused(read, Bindings(opened=["*"]))[0] == reason


@pytest.mark.parametrize("name", CREATED_IN)
def test_opening_a_bucket_binds_no_notification(name: str) -> None:
    """
    A notification says no tenant, and none is guessed.
    """
    assert refused(message(sample(name)), Bindings(opened=["*"]))[0] == "unbound_bucket"


@pytest.mark.parametrize("revision", [2**53 - 1, -(2**53) + 1, 0])
def test_a_revision_is_a_number_that_everybody_reads_alike(revision: int) -> None:
    """
    Up to 2^53, where readers that take numbers for doubles begin to mistake one for another.
    """
    assert submitted(message(sample("native", subject__revision=revision)))[0].subject.revision == revision


@pytest.mark.parametrize("revision", [2**53, 2**63, 2**64 - 1, -(2**53)])
@pytest.mark.parametrize("wrap", [lambda event: event, lambda event: sample("cloudevents", data=event)])
def test_a_revision_that_could_win_for_ever_is_refused(revision: int, wrap: Callable[[Any], Any]) -> None:
    """
    The highest revision is the newest verdict to subscribers, whoever wrote it.
    """
    reason, detail = refused(message(wrap(sample("native", subject__revision=revision))))

    assert reason == "bad_member"
    assert detail.endswith("subject.revision: must be an integer below 2^53")
