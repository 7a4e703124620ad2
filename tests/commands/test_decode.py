"""`decode`: what one message asks for."""

import base64
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from consumer.commands.decode import lines, read_headers, show
from consumer.config import Config
from consumer.errors import Misconfigured
from tests.commands.cli import command
from tests.intake.decode.messages import FOLDER, sample

SAMPLES = Path(FOLDER)
SHOWN = ("bucket", "key", "region", "version", "size", "url")

BOUND = """
bindings:
  - {bucket: ugc-uploads, tenant: shop, purpose: avatar, via: url, url: "https://cdn.example.com/{key}"}
"""


def shown(document: Any, config: Config | None = None) -> list[dict[str, Any]]:
    return show(orjson.dumps(document), (), config)[0]


async def test_an_image_is_a_line(tmp_path: Path) -> None:
    """
    A notification is shown with its decoded key, and with the binding's URL where a configuration is given.
    """
    config = tmp_path / "c.yaml"
    config.write_text(BOUND.replace("{key}", "{key}?v={version}"))

    bare = await command("decode", str(SAMPLES / "aws_s3.json"))
    bound = await command("decode", str(SAMPLES / "aws_s3.json"), "--config", str(config))

    object_ = {
        "bucket": "ugc-uploads", "key": "avatars/red flower (1).jpg", "region": "eu-west-1",
        "version": "096fKKXTRTtl3on89fVO.nfljtsv6qko", "size": 1024,
    }  # fmt: skip
    url = "https://cdn.example.com/avatars/red%20flower%20%281%29.jpg"
    assert (bare.status, bound.status) == (0, 0)
    [told] = map(orjson.loads, bare.output.splitlines())
    assert {name: told[name] for name in SHOWN} == {**object_, "url": None}
    assert (told["tenant"], told["purpose"]) == (None, None)
    [told] = map(orjson.loads, bound.output.splitlines())
    assert {name: told[name] for name in SHOWN} == {**object_, "url": url}
    assert (told["tenant"], told["purpose"]) == ("shop", "avatar")


async def test_standard_input_is_read_for_a_dash() -> None:
    """
    A message can be piped in.
    """
    ended = await command("decode", "-", given=orjson.dumps(sample("native")))

    assert ended.status == 0
    assert [orjson.loads(line)["image"] for line in ended.output.splitlines()] == ["0", "1"]


async def test_what_asks_for_nothing_says_why() -> None:
    """
    An ignored message is no failure.
    """
    tested = await command("decode", str(SAMPLES / "s3_test_event.json"))
    empty = await command("decode", "--null-value", "no-such-file")
    bare = await command("decode", "--null-value")

    assert (tested.status, orjson.loads(tested.output)) == (0, {"ignored": "test_event"})
    assert (empty.status, orjson.loads(empty.output)) == (0, {"ignored": "no_value"})
    assert bare == empty


async def test_a_dead_letter_says_why_and_fails(tmp_path: Path) -> None:
    """
    Its reason is a stable word, the detail names the member.
    """
    wrong = tmp_path / "wrong.json"
    wrong.write_bytes(orjson.dumps(sample("native", images=[])))

    ended = await command("decode", str(wrong))

    assert ended.status == 1
    assert orjson.loads(ended.output) == {"rejected": "missing_member", "detail": "images: at least one is required"}


async def test_headers_count(tmp_path: Path) -> None:
    """
    A binary CloudEvent's attributes are headers; without them its value is no event.
    """
    value, headers = tmp_path / "value", tmp_path / "headers.json"
    value.write_bytes(orjson.dumps(sample("cloudevents")["data"]))
    named = {
        "ce_specversion": "1.0",
        "ce_type": "image.uploaded.v1",
        "ce_source": "/s",
        "ce_time": "2026-11-20T10:00:00Z",
    }
    encoded = ["ce_id", {"base64": base64.b64encode(b"id-1").decode()}]
    headers.write_bytes(orjson.dumps([*named.items(), encoded, ["other", None]]))

    with_headers = await command("decode", str(value), "--headers", str(headers))
    without = await command("decode", str(value))

    assert orjson.loads(with_headers.output)["event_id"] == "id-1"
    assert (without.status, orjson.loads(without.output)["rejected"]) == (1, "unrecognised")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"{", "is not JSON"),
        (b"{}", "must hold a list"),
        (b'[["a"]]', "header 0: must be [name, value]"),
        (b'[["a", 1]]', "header 0: must be [name, value]"),
        (b'[["a", "b"], ["c", {"base64": "?"}]]', "header 1 (c): base64 must be base64"),
        (b'[["a", {"base64": "YQ==", "more": 1}]]', "header 0: must be [name, value]"),
    ],
)
def test_wrong_headers_are_named(text: bytes, problem: str) -> None:
    """
    A file that is no list of headers says which one is wrong.
    """
    with pytest.raises(Misconfigured) as wrong:
        read_headers(Path("headers.json"), text)

    assert str(wrong.value).startswith("headers.json: ")
    assert problem in str(wrong.value)


@pytest.mark.parametrize("arguments", [[], ["no-such-file"]])
async def test_a_wrong_use_is_told_apart_from_a_dead_letter(arguments: list[str]) -> None:
    """
    Status 1 is for what was read and refused; the command line's own mistakes are 2.
    """
    ended = await command("decode", *arguments)

    assert (ended.status, ended.output) == (2, "")
    assert ended.errors


@pytest.mark.parametrize("store", ["s3", "oss", "elsewhere"])
def test_without_a_configuration_no_bucket_is_unbound(store: str) -> None:
    """
    Nobody knows the bindings then, so a message is shown rather than refused for them.
    """
    image = {"ref": {"store": store, "bucket": "b", "key": "a/../b.jpg"}}

    [told] = shown(sample("native", images=[image]))

    assert {name: told[name] for name in SHOWN} == {
        "bucket": "b", "key": "a/../b.jpg", "region": None, "version": None, "size": None, "url": None,
    }  # fmt: skip


def test_with_a_configuration_its_bindings_decide() -> None:
    """
    What the service would refuse is refused here.
    """
    assert shown(sample("aws_s3"), Config())[0]["rejected"] == "unbound_bucket"


async def test_a_message_claims_what_its_topic_may(tmp_path: Path) -> None:
    """
    That of the first topic, or of the one that is said.
    """
    config, event = tmp_path / "c.yaml", tmp_path / "e.json"
    config.write_text("kafka: {topics: [a, b]}\noss: {buckets: [ugc]}\nsources: {a: {tenants: [another]}}")
    event.write_bytes(orjson.dumps(sample("native")))

    first = await command("decode", str(event), "--config", str(config))
    other = await command("decode", str(event), "--config", str(config), "--topic", "b")

    assert (first.status, orjson.loads(first.output)["rejected"]) == (1, "not_allowed")
    assert (other.status, len(other.output.splitlines())) == (0, 2)


def test_an_image_that_nobody_can_be_asked_about_says_so() -> None:
    """
    Only bindings know which versions can be asked for.
    """
    config = Config.model_validate(yaml.safe_load(BOUND))

    [bound], [bare] = shown(sample("aws_s3"), config), shown(sample("aws_s3"))

    assert (bound["not_asked"], bound["url"]) == ("version_not_askable", None)
    assert "not_asked" not in bare


def test_a_line_is_a_json_object() -> None:
    """
    Lines can be read one by one.
    """
    assert lines([{"a": 1}, {"b": "é"}]) == '{"a":1}\n{"b":"é"}'
