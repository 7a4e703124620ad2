"""
`backfill` on a real Kafka: each image is sent once, whatever ends it, and nothing is sent before all is known.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from consumer.commands.backfill.uploads import HEADER
from tests.commands.cli import Ended, command
from tests.images.stores.serving import KEY
from tests.rig.children import running
from tests.rig.kafka import KafkaCluster, NewRecord, publish, read_all
from tests.rig.kafka.waiting import until
from tests.rig.replica import surroundings
from tests.rig.s3 import make_bucket, remove_bucket, s3_client

pytestmark = pytest.mark.scenario


class Stand:
    """A lane's topic, a configuration that has it, and the command."""

    def __init__(self, kafka: KafkaCluster, topic: str, folder: Path) -> None:
        self.servers = kafka.bootstrap_servers
        self.topic = topic
        self.folder = folder
        self.configured()

    def configured(self, **more: Any) -> None:
        policy = self.folder / "policy.yaml"
        policy.write_text("policy: p\nversion: 1\n")
        kafka = {"bootstrap_servers": self.servers, "topics": [self.topic, f"{self.topic}-live"]}
        lanes = {"live": {"topics": [f"{self.topic}-live"]}, "backfill": {"topics": [self.topic]}}
        (self.folder / "consumer.yaml").write_text(yaml.safe_dump({"kafka": kafka, "lanes": lanes, **more}))

    def manifest(self, *lines: str, name: str = "list") -> str:
        path = self.folder / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    def arguments(self, *options: str) -> Sequence[str]:
        return ("backfill", "--config", str(self.folder / "consumer.yaml"), "--rate", "1000", *options)

    async def run(self, *options: str) -> Ended:
        return await command(*self.arguments(*options))

    async def sent(self, *options: str) -> dict[str, Any]:
        """What a run that ends well came to."""
        ended = await self.run("--yes", "--json", *options)
        assert (ended.status, ended.errors) == (0, ended.errors)
        found: dict[str, Any] = orjson.loads(ended.output)
        return found

    async def records(self) -> list[Any]:
        return list(await read_all(self.servers, self.topic))

    async def has_at_least(self, count: int) -> bool:
        return len(await self.records()) >= count

    async def urls(self) -> list[str]:
        return sorted(orjson.loads(each.value)["images"][0]["url"] for each in await self.records())


@pytest.fixture
async def stand(kafka: KafkaCluster, topic: str, tmp_path: Path) -> Stand:
    await kafka.create_topic(topic, partitions=3, replication=1)
    return Stand(kafka, topic, tmp_path)


def url(number: int) -> str:
    return f"https://a.example/{number}.png"


async def test_a_repetition_sends_nothing_and_a_longer_list_what_is_new(stand: Stand) -> None:
    """
    However the list is written, and also where it names something twice. Another run sends all of it.
    """
    first = await stand.sent("--manifest", stand.manifest(*map(url, range(5)), url(0)))
    again = await stand.sent("--manifest", stand.manifest(*map(url, range(5))))
    longer = await stand.sent("--manifest", stand.manifest("image", *map(url, range(7)), name="list.csv"))
    other = await stand.sent("--manifest", stand.manifest(url(0)), "--run", "other")

    assert [(each["sent_before"], each["sent"]) for each in (first, again, longer, other)] == [
        (0, 5), (5, 0), (5, 2), (0, 1),
    ]  # fmt: skip
    assert first["passed_over"] == {"named twice": 1}
    assert await stand.urls() == sorted([*map(url, range(7)), url(0)])


async def test_after_a_sigkill_nothing_is_lost_and_nothing_is_sent_twice(stand: Stand) -> None:
    """
    What the killed process has sent is read back from the topic, and is all that is left out.
    """
    manifest = stand.manifest(*map(url, range(400)))
    arguments = stand.arguments("--yes", "--rate", "200", "--manifest", manifest)
    async with running([sys.executable, "-m", "consumer", *arguments], environment=surroundings()) as process:
        await until(lambda: stand.has_at_least(50), timeout=60)
        process.kill()
        await process.wait()
    killed_at = len(await stand.records())
    rest = await stand.sent("--manifest", manifest)

    assert 50 <= killed_at < 400
    assert killed_at <= rest["sent_before"]
    assert rest["sent_before"] + rest["sent"] == 400
    assert await stand.urls() == sorted(map(url, range(400)))


async def test_nothing_is_sent_before_every_line_is_known_and_somebody_agrees(stand: Stand) -> None:
    """
    Each wrong line is told; what it costs is said; and without a terminal --yes is needed.
    """
    wrong = await stand.run("--yes", "--manifest", stand.manifest(url(1), "ftp://a.example", '{"image": 1}'))
    asked = await stand.run("--manifest", stand.manifest(url(1)), "--price", "2000")
    planned = await stand.run("--manifest", stand.manifest(url(1)), "--dry-run")
    nowhere = await stand.run("--yes", "--manifest", stand.manifest(url(1)), "--lane", "live")

    assert [each.status for each in (wrong, asked, planned, nowhere)] == [2, 2, 0, 2]
    assert "list:2: image 'ftp://a.example'" in wrong.errors
    assert "list:3: image '1': must be a string" in wrong.errors
    assert "1 event with 1 image: 1 call billed = 2.00" in asked.errors
    assert "give --yes" in asked.errors
    assert "Nothing was sent." in planned.errors
    assert f"topic {stand.topic}-live: does not exist" in nowhere.errors
    assert await stand.records() == []


async def test_what_is_wrong_can_be_left_out(stand: Stand) -> None:
    """
    And is told all the same.
    """
    ended = await stand.run("--yes", "--skip-wrong", "--manifest", stand.manifest(url(1), "ftp://a.example"))

    assert ended.status == 0
    assert "left out:" in ended.errors
    assert await stand.urls() == [url(1)]


async def test_a_topics_messages_are_copied_byte_for_byte_and_once(
    kafka: KafkaCluster, stand: Stand, topic: str
) -> None:
    """
    With their keys and headers, but for those that say what became of them. What asks for nothing is passed over.
    """
    source = f"{topic}-dead"
    await kafka.create_topic(source, partitions=2, replication=1)
    event = orjson.dumps(
        {
            "schema": "image.uploaded.v1", "event_id": "e", "event_time": "2026-11-20T10:00:00Z",
            "subject": {"id": "s"}, "images": [{"url": url(1)}], "mine": "as it was",
        }
    )  # fmt: skip
    headers = [("theirs", b"\x80"), ("dlq_reason", b"unbound_bucket"), ("source_group", b"g")]
    await publish(stand.servers, source, [NewRecord(event, key=b"\xff", headers=headers), NewRecord(None, key=b"t")])

    first, again = [await stand.sent("--topic", source) for _ in range(2)]
    [record] = await stand.records()

    assert [(each["sent"], each["passed_over"]) for each in (first, again)] == [
        (1, {"no_value": 1}),
        (0, {"no_value": 1}),
    ]
    assert (record.key, record.value) == (b"\xff", event)
    assert [name for name, _ in record.headers] == ["theirs", HEADER]


@pytest.fixture
def bucket(moto: str) -> Iterator[Any]:
    with s3_client(moto, KEY.id, KEY.secret) as client:
        make_bucket(client, "ugc")
        yield client
        remove_bucket(client, "ugc")


async def test_a_buckets_objects_are_sent_and_what_is_written_anew_once_more(
    moto: str, bucket: Any, stand: Stand
) -> None:
    """
    Those below the prefix that a binding includes, with the binding's tenant. A bucket that is not there ends it.
    """
    keys = stand.folder / "keys"
    keys.mkdir()
    (keys / "access-key-id").write_text(KEY.id)
    (keys / "access-key-secret").write_text(KEY.secret)
    store = {"type": "s3", "endpoint": moto, "key_files": str(keys)}
    binding = {"bucket": "ugc", "tenant": "shop", "via": "upload", "store": "m", "include": {"keys": ["*.png"]}}
    stand.configured(stores={"m": store}, bindings=[binding])
    for key in ("a/1 +.png", "a/2.png", "a/3.txt", "a/", "b/1.png"):
        bucket.put_object(Bucket="ugc", Key=key, Body=b"" if key.endswith("/") else b"image")
    first = await stand.sent("--bucket", "m/ugc/a/")
    bucket.put_object(Bucket="ugc", Key="a/2.png", Body=b"another")
    second = await stand.sent("--bucket", "m/ugc/a/")
    none = await stand.run("--yes", "--bucket", "m/other")

    events = [orjson.loads(each.value) for each in await stand.records()]
    assert [(each["sent_before"], each["sent"]) for each in (first, second)] == [(0, 2), (1, 1)]
    assert sorted(each["images"][0]["ref"]["key"] for each in events) == ["a/1 +.png", "a/2.png", "a/2.png"]
    assert {each["tenant"] for each in events} == {"shop"}
    assert none.status == 1
    assert "NoSuchBucket" in none.errors
