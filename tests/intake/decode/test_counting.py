from functools import partial

import pytest
from prometheus_client import REGISTRY

from consumer.errors import Undecodable
from consumer.intake.decode import decode
from consumer.parts import count_format
from consumer.records import Ignored
from tests.intake.decode.messages import BINDINGS, message, sample
from tests.rig.events import delivery


def counted(form: str) -> float:
    return REGISTRY.get_sample_value("moderation_events_total", {"format": form}) or 0.0


def test_every_message_is_counted_by_its_format() -> None:
    """
    Also one that is refused, and one that asks for nothing; what comes of them is as without the counting.
    """
    forms = ("native", "s3_test", "unrecognised", "no_value")
    before = [counted(form) for form in forms]

    counting = partial(decode, bindings=BINDINGS, group="group", count_format=count_format)
    read = counting(message(sample("native")))
    ignored = [counting(each) for each in (message(sample("s3_test_event")), delivery(None))]
    with pytest.raises(Undecodable, match="not_json"):
        counting(delivery(b"{"))

    assert [counted(form) - was for form, was in zip(forms, before, strict=True)] == [1, 1, 1, 1]
    assert read == decode(message(sample("native")), BINDINGS, "group")
    assert ignored == [Ignored("test_event"), Ignored("no_value")]
