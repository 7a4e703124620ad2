"""What the producers of a topic may claim: tenants, purposes, hosts, buckets, and how many images at once."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.config import Config
from consumer.config.sources import SourceSettings
from consumer.intake.decode import Bindings, Rules, recognise
from consumer.intake.decode.claims import Claims
from consumer.intake.decode.formats import FORMATS
from tests.intake.decode.messages import CREATED_IN, SAMPLES, ignored, message, refused, sample, submitted
from tests.intake.decode.test_opened import ENVELOPES

READ = [name for name in SAMPLES if name != "s3_test_event"]
"""Every sample that asks for images."""
PLAIN = st.text(alphabet="ab.-", min_size=1, max_size=6)


def allowing(**source: Any) -> Rules:
    """What an operator says of the topic that everything here is read from."""
    return Rules.of(Config.model_validate({"sources": {"uploads": source}}))


@pytest.mark.parametrize("name", READ)
def test_no_format_speaks_for_a_tenant_that_its_topic_may_not(name: str) -> None:
    """
    By its own word or by the binding of the bucket that it names: the whole message is a dead letter.
    """
    (first, *_) = submitted(message(sample(name)))

    assert submitted(message(sample(name)), rules=allowing(tenants=["other", first.tenant]))
    reason, detail = refused(message(sample(name)), rules=allowing(tenants=["other"]))

    assert reason == "not_allowed"
    assert detail == f"tenant: '{first.tenant}' is not among those that this topic's producers may claim"


@pytest.mark.parametrize("name", READ)
def test_no_format_has_a_purpose_that_its_topic_may_not(name: str) -> None:
    """
    Purposes choose rules, so they are claims as tenants are.
    """
    purpose = submitted(message(sample(name)))[0].purpose

    assert submitted(message(sample(name)), rules=allowing(purposes=[purpose]))
    assert refused(message(sample(name)), rules=allowing(purposes=["other"]))[0] == "not_allowed"


@pytest.mark.parametrize("name", [*CREATED_IN, "native"])
def test_no_format_names_a_bucket_that_its_topic_may_not(name: str) -> None:
    """
    Also one that is bound: a binding says whose a bucket is, not who may speak of it.
    """
    bucket = CREATED_IN[name][0] if name in CREATED_IN else "ugc"

    assert submitted(message(sample(name)), rules=allowing(buckets=["nothing", bucket]))
    assert refused(message(sample(name)), rules=allowing(buckets=["nothing"])) == (
        "not_allowed",
        f"image 0: bucket: '{bucket}' is not among those that this topic's producers may claim",
    )


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_no_envelope_hides_a_claim(envelope: str) -> None:
    """
    What counts is what was read in the end, however it was wrapped.
    """
    wrapped = message(ENVELOPES[envelope](sample("aws_s3")))

    assert submitted(wrapped, rules=allowing(tenants=["shop"], buckets=["ugc-uploads"], max_images=1))
    assert refused(wrapped, rules=allowing(tenants=["bazaar"]))[0] == "not_allowed"
    assert refused(wrapped, rules=allowing(buckets=["ugc"]))[0] == "not_allowed"


def test_every_format_is_tried_here() -> None:
    """
    The samples and envelopes of these tests are of every format that can ask for an image.
    """
    documents = [*(sample(name) for name in READ), *(wrap(sample("aws_s3")) for wrap in ENVELOPES.values())]

    tried = {recognise(message(document)).format for document in documents}

    assert {each.name for each in FORMATS.by_shape} - tried == {"s3_test"}


@pytest.mark.parametrize(
    "url, allowed",
    [
        ("https://cdn.example.com/a", True),
        ("https://CDN.Example.com:8443/a", True),
        ("https://cdn.example.com./a", True),
        ("https://example.com/a", False),
        ("https://cdn.example.com.evil.test/a", False),
        ("https://cdn.example.com@evil.test/a", False),
        ("https://evil.test/cdn.example.com", False),
        ("https://evil.test?https://cdn.example.com/", False),
        ("http://169.254.169.254/latest", False),
        ("http://[::1]/a", True),
        ("http://[::2]/a", False),
    ],
)
def test_a_url_counts_by_the_host_that_is_downloaded_from(url: str, allowed: bool) -> None:
    """
    Without case, port, user and the dot of an absolute name; what only looks like the host elsewhere is nothing.
    """
    read, rules = message(sample("native", images=[{"url": url}])), allowing(hosts=["*.EXAMPLE.com", "::1"])

    if allowed:
        assert len(submitted(read, rules=rules)) == 1
    else:
        assert refused(read, rules=rules)[0] == "not_allowed"


def test_no_url_at_all_can_be_allowed() -> None:
    """
    An empty list allows nothing, unlike one that is not there; a binding's own host is the operator's word.
    """
    assert (
        refused(message(sample("native", images=[{"url": "https://h/"}])), rules=allowing(hosts=[]))[0] == "not_allowed"
    )
    assert refused(message(sample("native")), rules=allowing(tenants=[]))[0] == "not_allowed"
    assert submitted(message(sample("aws_s3")), rules=allowing(hosts=[]))


@pytest.mark.parametrize("name", ["aws_s3", "oss", "native"])
def test_a_message_has_no_more_images_than_its_topic_may_send(name: str) -> None:
    """
    Of any format; what is left out of it does not count.
    """
    member = {"aws_s3": "Records", "oss": "events", "native": "images"}[name]
    one = sample(name)[member][0]
    many = message(sample(name, **{member: [{**one, "id": str(n)} for n in range(3)]}))

    assert len(submitted(many, rules=allowing(max_images=3))) == 3
    assert refused(many, rules=allowing(max_images=2)) == (
        "not_allowed",
        "images: 3 in one message; this topic's producers may send 2",
    )


def test_every_image_is_looked_at() -> None:
    """
    The last of a message as well as the first.
    """
    images = [{"url": "https://cdn.example.com/0"}, {"url": "https://evil.test/1"}]

    assert refused(message(sample("native", images=images)), rules=allowing(hosts=["cdn.example.com"])) == (
        "not_allowed",
        "image 1: url's host: 'evil.test' is not among those that this topic's producers may claim",
    )


@pytest.mark.parametrize("tenant", ["a b", "t" * 81, "https://u:secret@h/?sig=secret", "<script>", "照片"])
def test_a_claim_that_is_no_plain_name_is_not_shown(tenant: str) -> None:
    """
    A dead letter's header holds what may be a name, and nothing that may be something else.
    """
    _, detail = refused(message(sample("native", tenant=tenant)), rules=allowing(tenants=["shop"]))

    assert detail == "tenant: a name of unusual characters is not among those that this topic's producers may claim"


@given(tenants=st.lists(PLAIN, max_size=3), purposes=st.lists(PLAIN, max_size=3), tenant=PLAIN, purpose=PLAIN)
def test_what_is_listed_is_allowed_and_nothing_else(
    tenants: list[str], purposes: list[str], tenant: str, purpose: str
) -> None:
    """
    Names without stars allow themselves alone, in full and with regard to case.
    """
    read = message(orjson.dumps(sample("native", tenant=tenant, purpose=purpose)))
    rules = allowing(tenants=tenants, purposes=[*purposes, "A"])

    if tenant in tenants and purpose in purposes:
        assert len(submitted(read, rules=rules)) == 2
    else:
        assert refused(read, rules=rules)[0] == "not_allowed"


def test_a_claim_is_made_by_silence_too() -> None:
    """
    Who names no tenant speaks for `default`.
    """
    read = message(sample("native", tenant=None))

    assert refused(read, rules=allowing(tenants=["shop-*"]))[0] == "not_allowed"
    assert submitted(read, rules=allowing(tenants=["shop-*", "default"]))


@pytest.mark.parametrize(
    "rules", [Rules(), allowing(), Rules(sources={"another": Claims.of(SourceSettings(tenants=()))})]
)
def test_a_topic_of_which_nothing_is_said_may_claim_anything(rules: Rules) -> None:
    """
    As without the setting, whatever is said of other topics.
    """
    for name in READ:
        assert submitted(message(sample(name)), rules=rules) == submitted(message(sample(name)))


def test_what_asks_for_nothing_claims_nothing() -> None:
    """
    A message that is ignored is ignored still.
    """
    assert ignored(message(sample("s3_test_event")), rules=allowing(tenants=[], buckets=[])) == "test_event"


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
