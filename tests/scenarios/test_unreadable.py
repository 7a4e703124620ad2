"""A thousand messages, most of them broken, through a broker and the whole service."""

from collections import Counter
from pathlib import Path

import pytest

from consumer.errors import Undecodable
from consumer.intake.decode import Rejection, decode
from consumer.records import Ignored
from tests.intake.decode.made_up import MadeUp, made_up
from tests.intake.decode.messages import BINDINGS, BOUND, GROUP
from tests.rig.emulated import KEY, emulated
from tests.rig.events import delivery
from tests.rig.kafka import NewRecord, publish, read_all
from tests.rig.replica import Replica, total
from tests.rig.stage import Stage

MESSAGES = 1_000
SEED = 7
REJECTED = set(map(str, Rejection))


def expected(each: MadeUp) -> tuple[str, int]:
    """What becomes of a message, and of how many images."""
    try:
        decoded = decode(delivery(each.value, key=each.key, headers=each.headers), BINDINGS, GROUP)
    except Undecodable as error:
        return error.reason, 0
    return (decoded.reason, 0) if isinstance(decoded, Ignored) else ("submitted", len(decoded))


@pytest.mark.scenario
async def test_every_message_is_judged_buried_or_counted(stage: Stage, tmp_path: Path) -> None:
    """
    Nothing stops the service: verdicts, dead letters with their bytes intact, and ignored messages add up.
    """
    messages = list(made_up(MESSAGES, SEED))
    outcomes = [expected(each) for each in messages]
    images = sum(count for _, count in outcomes)
    await publish(
        stage.kafka.bootstrap_servers,
        stage.uploads,
        [NewRecord(each.value, key=each.key, headers=list(each.headers)) for each in messages],
    )
    # Every image is too large: that is a verdict, and nobody downloads anything.
    async with emulated([], faults=({"what": {"code": 406}},)) as emulator:
        bound = [binding.model_dump(mode="json") for binding in BOUND]
        config = {**stage.config(emulator.url, quota={"qps": 400}, provider={"max_in_flight": 200}), "bindings": bound}
        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await replica.until_metric("moderation_messages_total", at_least=MESSAGES, timeout=120)
            samples = await replica.samples()
            counted = {
                reason: total(samples, "moderation_messages_total", reason=reason)
                for reason in {reason for reason, _ in outcomes} - {"submitted"}
            }
            await stage.until(lambda ids: len(ids) >= images, timeout=180)
            replica.terminate()
            status = await replica.ended()
    read = await read_all(stage.kafka.bootstrap_servers, stage.outputs["dead_letter"])
    letters = {letter.key: letter for letter in read}
    ids = await stage.verdict_ids()

    buried = [each for each, (reason, _) in zip(messages, outcomes, strict=True) if reason in REJECTED]
    assert images > 200
    assert len(buried) > 200
    assert status == 0
    assert len(ids) == len(set(ids)) == images
    assert counted == Counter(reason for reason, _ in outcomes if reason != "submitted")
    assert {each.key: each.value for each in buried} == {key: letter.value for key, letter in letters.items()}
    assert all(dict(letter.headers)["dlq_reason"].decode() in REJECTED for letter in letters.values())
