"""What `check` makes of figures, topics and bindings, without a cluster."""

from typing import Any

import pytest

from consumer.commands.check.disclosure import not_told
from consumer.commands.check.findings import Finding, lasting
from consumer.commands.check.places import bindings, role_for_objects, sources
from consumer.commands.check.sizing import (
    calls_at_once,
    messages_and_calls,
    partitions_and_calls,
    partitions_and_journal,
    partitions_and_quota,
)
from consumer.commands.check.topics import Backlog, Topic, retention, topics
from consumer.config import Config
from consumer.config.bindings import Binding
from consumer.config.kafka import KafkaSettings
from consumer.config.loading import load_config
from consumer.config.privacy import PrivacySettings
from consumer.vendor_facts.aliyun import INFO_OF, OWN_STORE

DAY = 86_400.0
SETTINGS = {
    "max.message.bytes": "1048588", "min.insync.replicas": "2", "retention.ms": "604800000", "retention.bytes": "-1",
    "cleanup.policy": "delete",
}  # fmt: skip
NAMES = ["uploads", "moderation.block", "moderation.review", "moderation.pass", "moderation.dead-letter"]


def topic(name: str = "uploads", *, replicas: int = 3, leaderless: tuple[int, ...] = (), **changes: str) -> Topic:
    """A topic of twelve partitions; `changes` are settings, with underscores for dots."""
    settings = {**SETTINGS, **{key.replace("_", "."): value for key, value in changes.items()}}
    return Topic(name=name, partitions=12, replicas=replicas, leaderless=leaderless, settings=settings)


def cluster(*changed: Topic) -> dict[str, Topic]:
    found = {name: topic(name) for name in NAMES}
    found["moderation.dead-letter"] = topic("moderation.dead-letter", max_message_bytes="1064972")
    return {**found, **{each.name: each for each in changed}}


def remarks(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.level.value, each.about) for each in found if each.level != "ok"]


def test_a_sound_cluster_has_no_remarks() -> None:
    """
    Each topic is named once, and so are the dead letters.
    """
    found = list(topics(KafkaSettings(), cluster()))

    assert remarks(found) == []
    assert [each.about for each in found] == [*(f"topic {name}" for name in NAMES), "dead letters"]


@pytest.mark.parametrize(
    ("changed", "level", "about", "says"),
    [
        (topic(leaderless=(1, 4)), "wrong", "topic uploads", "no broker leads partition 1, 4"),
        (topic(replicas=1, min_insync_replicas="1"), "warning", "topic uploads", "has 1 replica"),
        (topic(min_insync_replicas="4"), "wrong", "topic uploads", "nothing can be published"),
        (topic(min_insync_replicas="3"), "warning", "topic uploads", "if one broker is away, publishing stops"),
        (topic(min_insync_replicas="1"), "warning", "topic uploads", "set it to 2"),
        (topic(cleanup_policy="compact"), "warning", "topic uploads", "is compacted"),
        (topic("moderation.dead-letter"), "wrong", "dead letters", "must accept 1064972"),
        (
            Topic(name="moderation.pass", partitions=1, replicas=3),
            "skipped", "topic moderation.pass", "does not show its settings",
        ),
    ],
)  # fmt: skip
def test_what_is_the_matter_with_a_topic_is_said(changed: Topic, level: str, about: str, says: str) -> None:
    """
    One remark, about the topic it is about, with what to do.
    """
    found = [each for each in topics(KafkaSettings(), cluster(changed)) if each.level != "ok"]

    assert remarks(found) == [(level, about)]
    assert says in found[0].text


def test_a_source_that_takes_more_than_a_dead_letter_may_hold_is_refused() -> None:
    """
    Kafka's own default for both fits: its limit includes the batch's header.
    """
    larger = topic(max_message_bytes="2097164")

    found = list(topics(KafkaSettings(), cluster(larger)))

    assert remarks(found) == [("wrong", "topic uploads"), ("wrong", "dead letters")]
    assert "set kafka.max_message_bytes to 2097103 or more" in found[0].text


@pytest.mark.parametrize(
    ("qps", "in_flight", "latency", "fits"),
    [(100, 64, 0.3, True), (100, 45, 0.3, True), (100, 44, 0.3, False), (100, 64, 1.0, False), (1, 1, 0.1, True)],
)
def test_calls_in_flight_are_half_as_many_again_as_the_quota_needs(
    qps: int, in_flight: int, latency: float, fits: bool
) -> None:
    """
    1.5 × quota × latency, or it is the real limit.
    """
    config = load_config(None, {}, [f"quota.qps={qps}", f"provider.max_in_flight={in_flight}"])

    assert (calls_at_once(config, latency).level == "ok") is fits


@pytest.mark.parametrize(("partitions", "fits"), [(1, True), (100, True), (101, False)])
def test_each_partition_needs_a_call_a_second(partitions: int, fits: bool) -> None:
    """
    As many partitions as calls is the most.
    """
    assert (partitions_and_quota("default", partitions, 100).level == "ok") is fits


@pytest.mark.parametrize(
    ("changes", "backlog", "outage", "levels"),
    [
        ({}, {}, 1.0, ["ok"]),
        ({}, {}, 7.0, ["ok"]),
        ({}, {}, 8.0, ["wrong"]),
        ({}, {"oldest": -6 * DAY}, 1.0, ["ok"]),
        ({}, {"oldest": -6.5 * DAY}, 1.0, ["wrong"]),
        ({"retention.ms": "-1"}, {"oldest": -600 * DAY}, 30.0, ["ok"]),
        ({"retention.bytes": "1000000"}, {}, 1.0, ["warning", "ok"]),
        ({"cleanup.policy": "compact", "retention.ms": "1"}, {}, 1.0, ["ok"]),
        ({}, {"committed": 4, "begin": 10}, 1.0, ["wrong", "ok"]),
        ({}, {"committed": None, "begin": 10}, 1.0, ["ok"]),
    ],
)
def test_retention_leaves_room_for_an_outage(
    changes: dict[str, str], backlog: dict[str, Any], outage: float, levels: list[str]
) -> None:
    """
    What is kept, less what the oldest message has waited already; and nothing was deleted unjudged.
    """
    waits = Backlog(**{"partition": "uploads/0", "committed": 10, "begin": 0, "end": 20, **backlog})

    found = list(
        retention(
            Topic(name="uploads", partitions=12, replicas=3, settings={**SETTINGS, **changes}),
            [waits],
            outage * DAY,
            now=0.0,
        )
    )

    assert [each.level for each in found] == levels


@pytest.mark.parametrize(
    ("changes", "levels"),
    [
        ({}, ["ok"]),
        ({"include": {"keys": ["avatars/*.jpg", "*.png", "avatars/[ab]*"], "content_types": ["image/*"]}}, ["warning"]),
        ({"include": {"keys": ["*.png", "photos/*.jpg"]}}, ["wrong", "warning"]),
        ({"include": {"keys": ["a?atars/*", "AVATARS/*.JPG"]}}, ["warning"]),
        ({"include": {"content_types": ["jpeg"]}}, ["wrong", "warning"]),
        ({"prefix": "/avatars/"}, ["warning"]),
        ({"region": "mars"}, ["warning"]),
    ],
)
def test_bindings_that_can_never_apply_are_named(changes: dict[str, Any], levels: list[str]) -> None:
    """
    A glob that contradicts its prefix, a content type that is none. Any `include` lets users avoid moderation.
    """
    binding = Binding.model_validate({"bucket": "ugc", "prefix": "avatars/", "via": "oss", **changes})

    found = list(bindings([binding], (), OWN_STORE))

    assert [each.level for each in found] == levels
    assert any("include lets users avoid moderation" in each.text for each in found) == ("include" in changes)


@pytest.mark.parametrize(
    ("opened", "text"),
    [
        ((), "none: only images with a URL are judged; bucket notifications are dead letters"),
        (
            ("ugc", "up-*"),
            "none: only images with a URL, and objects that native events name in ugc, up-*, are judged; ",
        ),
    ],
)
def test_what_is_judged_without_a_binding_is_said(opened: tuple[str, ...], text: str) -> None:
    """
    With the buckets that native events may name all the same.
    """
    [found] = bindings([], opened, OWN_STORE)

    assert found.level == "ok"
    assert found.text.startswith(text)


ALL: dict[str, list[str]] = {"tenants": ["a"], "purposes": ["b"], "hosts": [], "buckets": []}


@pytest.mark.parametrize(
    ("said", "level", "text"),
    [
        ({}, "warning", "any tenant, purpose, host of a URL and bucket that can be read: say under sources.uploads"),
        ({"uploads": {"tenants": ["a"], "hosts": []}}, "warning", "may claim any purpose and bucket that can be read:"),
        ({"uploads": {**ALL, "tenants": None}}, "warning", "may claim any tenant:"),
        ({"uploads": ALL}, "ok", "may claim what sources says, and no more"),
    ],
)
def test_a_topic_whose_producers_may_claim_what_they_like_is_named(said: dict[str, Any], level: str, text: str) -> None:
    """
    With what it is that they may claim, one line a topic.
    """
    config = Config.model_validate({"kafka": {"topics": ["uploads", "more"]}, "sources": {**said, "more": ALL}})

    found = list(sources(config.kafka.topics, config.sources))

    assert [(each.about, each.level) for each in found] == [("sources of uploads", level), ("sources of more", "ok")]
    assert text in found[0].text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 s"), (45.2, "45 s"), (119.0, "119 s"), (3_600.0, "60 min"), (86_400.0, "24 h"),
                          (93_600.0, "26 h"), (604_800.0, "7 d"), (5_400.0 * 2, "3 h"), (400 * 86_400.0, "400 d")]
)  # fmt: skip
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    """
    In the largest unit that leaves two of it or more.
    """
    assert lasting(seconds) == text


@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_compacted_outputs_are_wrong(policy: str) -> None:
    """
    They forget what was published, which is then paid for and published again.
    """
    found = [
        each
        for each in topics(KafkaSettings(), cluster(topic("moderation.review", cleanup_policy=policy)))
        if each.level != "ok"
    ]

    assert remarks(found) == [("wrong", "topic moderation.review")]
    assert "cleanup.policy=delete" in found[0].text


@pytest.mark.parametrize(
    ("inputs", "outputs", "level"),
    [("604800000", "604800000", None), ("604800001", "604800000", "wrong"), ("-1", "604800000", "wrong"),
     ("-1", "-1", None), ("1000", "-1", None)],
)  # fmt: skip
def test_outputs_kept_for_less_long_than_inputs_are_wrong(inputs: str, outputs: str, level: str | None) -> None:
    """
    What can be read again must be found in them, for as long as that is possible.
    """
    names = ("moderation.block", "moderation.review", "moderation.pass")
    changed = [topic("uploads", retention_ms=inputs)]
    changed += [topic(name, retention_ms=outputs, max_message_bytes="2000000") for name in names]
    changed += [topic("moderation.dead-letter", retention_ms=outputs, max_message_bytes="2000000")]

    found = [each for each in topics(KafkaSettings(), cluster(*changed)) if each.level != "ok"]

    assert {each.level for each in found} == ({level} if level else set())
    assert len(found) == (4 if level else 0)


@pytest.mark.parametrize(("partitions", "levels"), [(66, []), (67, ["wrong"])])
def test_what_every_partition_may_have_behind_an_open_record_fits(partitions: int, levels: list[str]) -> None:
    """
    Or a take-over of all of them would have to read the outputs several times.
    """
    assert [each.level for each in partitions_and_journal(partitions, 15_000, 1_000_000)] == levels


@pytest.mark.parametrize(("held", "calls", "fits"), [(2_000, 64, True), (2_000, 1_000, True), (2_000, 1_001, False)])
def test_half_of_the_messages_that_may_be_held_do_for_every_call(held: int, calls: int, fits: bool) -> None:
    """
    Reading goes on at half of it: 2,048 calls in flight at 2,000 messages left four calls in ten unused.
    """
    config = load_config(None, {}, [f"admission.max_records={held}", f"provider.max_in_flight={calls}"])

    found = list(messages_and_calls(config))

    assert (found == []) is fits
    assert all(each.level == "wrong" and f"set it to {2 * calls} or more" in each.text for each in found)


@pytest.mark.parametrize(("partitions", "calls", "least"), [(1, 250, None), (1, 251, 502), (4, 2_048, 1_024)])
def test_so_do_half_of_those_of_all_partitions(partitions: int, calls: int, least: int | None) -> None:
    """
    Where one replica has them all.
    """
    found = list(partitions_and_calls(partitions, 500, calls))

    assert (found == []) is (least is None)
    assert all(each.level == "wrong" and f"set it to {least} or more" in each.text for each in found)


def test_buckets_that_the_provider_reads_itself_need_its_role() -> None:
    """
    They are named, those that native events may name too; others need none.
    """
    bound = [
        Binding.model_validate({"bucket": bucket, "prefix": prefix, "via": "oss"})
        for bucket, prefix in (("ugc", "a/"), ("ugc", "b/"), ("ads", ""))
    ]
    shown = Binding.model_validate({"bucket": "shown", "via": "url", "url": "https://a.example.com/{key}"})

    [found] = role_for_objects([*bound, shown], ["open-*"], OWN_STORE)
    [many] = role_for_objects([], [f"bucket-{n}" for n in range(9)], OWN_STORE)

    assert (found.level, found.about) == ("skipped", "role for OSS")
    assert "the provider reads ads, open-*, ugc: the account must grant it AliyunCIPScanOSSRole" in found.text
    assert "bucket-4 and others" in many.text
    assert list(role_for_objects([shown], [], OWN_STORE)) == []


@pytest.mark.parametrize(
    ("privacy", "info", "named"),
    [
        ({}, [], []),
        ({"recognised_text": "text"}, ["textInImage"], []),
        ({"libraries": True}, ["textInImage"], []),
        ({"libraries": True}, ["logoData"], ["libraries"]),
        ({"public_figures": "hash", "logos": True, "locations": True}, ["logoData"], ["public_figures"]),
        ({"keywords": "count", "locations": True}, ["customImage"], ["keywords", "locations"]),
    ],
)
def test_what_cannot_be_told_because_it_is_not_asked_for_is_named(
    privacy: dict[str, Any], info: list[str], named: list[str]
) -> None:
    """
    The setting, and what the policy would have to ask for.
    """
    found = list(not_told(PrivacySettings.model_validate(privacy), info, "policy.yaml"))

    assert [each.text.partition(":")[0] for each in found] == named
    assert all(each.level == "warning" and "the info of policy.yaml has" in each.text for each in found)


def test_every_setting_of_what_is_told_of_an_image_has_what_it_needs() -> None:
    """
    So that a new one is warned of as well.
    """
    assert set(INFO_OF) == set(PrivacySettings.model_fields) - {"context", "keep_query"}
