"""What can be used of a configuration that is wrong."""

from pathlib import Path

import pytest

from consumer.config.loading import load_sound_part


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("quota: {qps: 7}", set()),
        ("quota: {qps: 7, qsp: 5}\nkafak: {}", set()),
        ("quota: {qps: 7}\nbindings: [{bucket: a, via: oss, extra: 1}]", set()),
        ("quota: {qps: 7}\nkafka: {outputs: {block: x, pass: x}}", {"kafka"}),
        ("quota: {qps: 7}\nshutdown: {drain_on_revoke: 60}", {"shutdown"}),
        ("quota: {qps: 7}\nlanes: {a: {topics: [other]}}\nlogs: 5", {"lanes", "logs"}),
        ("quota: {qps: 7}\nprovider: {region: mars}\nlogs: 5", {"provider", "logs"}),
    ],
)
def test_what_is_wrong_is_left_out_and_named(tmp_path: Path, text: str, broken: set[str]) -> None:
    """
    Unknown keys alone spoil nothing; a wrong value, or one that contradicts another section, spoils its section, which
    then holds its defaults.
    """
    path = tmp_path / "c.yaml"
    path.write_text(text)

    config, sections = load_sound_part(path, {})

    assert config is not None
    assert config.quota.qps == 7
    assert config.policy == tmp_path / "policy.yaml"
    assert sections == broken


@pytest.mark.parametrize("text", ["quota: {", "- a"])
def test_what_has_no_sound_part_is_none(tmp_path: Path, text: str) -> None:
    """
    No YAML, or no mapping.
    """
    path = tmp_path / "c.yaml"
    path.write_text(text)

    assert load_sound_part(path, {})[0] is None
