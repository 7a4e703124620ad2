import pytest
from prometheus_client import REGISTRY

from consumer.errors import Undecodable
from consumer.intake.decode import Bindings, decode
from consumer.intake.noticing import decode_noticing
from consumer.records import Ignored
from tests.events import delivery
from tests.intake.decode.messages import message, sample


def counted(form: str) -> float:
    return REGISTRY.get_sample_value("moderation_events_total", {"format": form}) or 0.0


def test_every_message_is_counted_by_its_format() -> None:
    """
    Also one that is refused, and one that asks for nothing; what comes of them is as without the counting.
    """
    forms = ("native", "s3_test", "unrecognised", "no_value")
    before = [counted(form) for form in forms]

    read = decode_noticing(message(sample("native")), Bindings([]), "group")
    ignored = [
        decode_noticing(each, Bindings([]), "group") for each in (message(sample("s3_test_event")), delivery(None))
    ]
    with pytest.raises(Undecodable, match="not_json"):
        decode_noticing(delivery(b"{"), Bindings([]), "group")

    assert [counted(form) - was for form, was in zip(forms, before, strict=True)] == [1, 1, 1, 1]
    assert read == decode(message(sample("native")), Bindings([]), "group")
    assert ignored == [Ignored("test_event"), Ignored("no_value")]
