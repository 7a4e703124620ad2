"""Made-up records and answers through a real Kafka and the whole service; `make fuzz` plays a hundred times as many."""

from pathlib import Path

import pytest

from tests.rig.fuzz.records import MIB
from tests.rig.fuzz.replies import AnswerPlay
from tests.rig.fuzz.uploads import Play
from tests.rig.kafka import KafkaCluster

pytestmark = pytest.mark.scenario  # thousands of records through a whole service

SEED = 7
RECORDS = 2_000
ANSWERS = 200


async def test_no_made_up_record_stops_the_service(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    Each record of any format, key, headers, codec and time ends as its verdicts, as one dead letter or as ignored, and
    is counted so; nothing that was told in secret is told on; memory keeps its bound; read again without commits,
    nothing is paid for or published twice; and the service ends with status 0.
    """
    report = await Play(kafka, tmp_path, topic[-8:], SEED, range(RECORDS), RECORDS, largest_bomb=40 * MIB).run()
    assert not report.problems, "\n".join(report.shown())
    assert report.figures["records"] == RECORDS


async def test_no_made_up_answer_stops_the_service(kafka: KafkaCluster, topic: str, tmp_path: Path) -> None:
    """
    Whatever the provider answers, each image has one verdict, and passes only where an answer says beyond doubt that it
    is harmless; memory keeps its bound; and the service ends with status 0.
    """
    play = AnswerPlay(kafka, tmp_path, topic[-8:], SEED, range(ANSWERS), ANSWERS, company_every=1.0)
    report = await play.run()
    assert not report.problems, "\n".join(report.shown())
