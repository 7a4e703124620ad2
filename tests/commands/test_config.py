"""`config`: what takes effect, and where it came from."""

from pathlib import Path

import pytest
import yaml

from consumer.commands.config import WIDTH, effective
from consumer.config.loading import load_with_origins
from tests.commands.cli import command

FILE = """\
kafka:
  topics: [live, backfill]
quota: {qps: 20,
  jitter: 0.1}
bindings:
  - {bucket: ugc, via: url, url: "https://user:secret-1@cdn.example.com/{key}?token=secret-2"}
  - {bucket: a-bucket-with-a-long-name, prefix: a/very/long/prefix/for/no/reason/, tenant: shop-eu, via: oss}
"""


def printed(path: Path, environment: dict[str, str] | None = None, *overrides: str) -> str:
    given = environment or {}
    return effective(load_with_origins(path, given, overrides), path, given)


def test_each_value_says_where_it_came_from(tmp_path: Path) -> None:
    """
    The file's line, the variable, --set or the default.
    """
    path = tmp_path / "c.yaml"
    path.write_text(FILE)

    text = printed(path, {"MODERATION__KAFKA__GROUP_ID": "mine"}, "quota.burst=0.1")

    told = {line.split("#")[0].strip(): line.split("# ", 1)[1] for line in text.splitlines() if "  # " in line}
    assert told["group_id: mine"] == "environment MODERATION__KAFKA__GROUP_ID"
    assert told["burst: 0.1"] == "--set quota.burst"
    assert told["region: ap-southeast-1"] == "default"
    assert told["qps: 20"] == "c.yaml:3"
    assert told["jitter: 0.1"] == "c.yaml:4"


def test_it_can_be_read_again(tmp_path: Path) -> None:
    """
    What is printed is YAML and means the same, but for what is hidden.
    """
    path = tmp_path / "c.yaml"
    path.write_text(FILE)
    loaded = load_with_origins(path, {}, ())

    again = yaml.safe_load(effective(loaded, path, {}))

    expected = loaded.config.model_dump(mode="json", by_alias=True)
    expected["bindings"][0]["url"] = "https://…@cdn.example.com/{key}?…"
    assert again == expected


@pytest.mark.parametrize("path", ["config/consumer.yaml", "config/demo.yaml"])
async def test_it_fits_a_terminal(path: str) -> None:
    """
    No line is wider than 100 columns.
    """
    ended = await command("config", "--config", path)

    assert max(len(line) for line in ended.output.splitlines()) <= WIDTH


async def test_no_secret_is_shown(tmp_path: Path) -> None:
    """
    Of the key it says only whether it is there, and of a URL neither user nor query.
    """
    path = tmp_path / "c.yaml"
    path.write_text(FILE)
    key = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "secret-3", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret-4"}

    ended = await command("config", "--config", str(path), environment=key)

    assert ended.status == 0
    assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET: set, not shown" in ended.output
    assert "secret-" not in ended.output + ended.errors


async def test_a_wrong_configuration_is_refused() -> None:
    """
    There is nothing to show of it; every problem is named, and the status is 2.
    """
    ended = await command("config", "--set", "quota.qsp=5", "--set", "quota.qps=0")

    assert (ended.status, ended.output) == (2, "")
    assert len(ended.errors.splitlines()) == 2


def test_a_file_in_utf_16_is_shown_as_it_was_read(tmp_path: Path) -> None:
    """
    YAML may be written so, and each value still names its line.
    """
    path = tmp_path / "consumer.yaml"
    path.write_bytes("quota:\n  qps: 7\n".encode("utf-16"))

    assert "consumer.yaml:2" in printed(path)
