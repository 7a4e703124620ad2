from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from consumer.config import Config, load_config, load_credentials, load_policy
from consumer.errors import Misconfigured

SHIPPED = Path(__file__).parent.parent / "config"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def problems_of(path: Path | None, environment: dict[str, str] | None = None, *overrides: str) -> list[str]:
    with pytest.raises(Misconfigured) as wrong:
        load_config(path, environment or {}, overrides)
    return list(wrong.value.problems)


def leaves(settings: BaseModel) -> dict[str, Any]:
    return settings.model_dump(by_alias=True, mode="json")


def test_the_shipped_file_holds_every_setting_with_its_default() -> None:
    """
    config/consumer.yaml is the manual: it names every setting, and changes none.
    """
    file = yaml.safe_load((SHIPPED / "consumer.yaml").read_text())
    defaults = leaves(Config())

    assert file == defaults


def test_the_shipped_policy_loads() -> None:
    """
    config/policy.yaml is the policy that config/consumer.yaml names.
    """
    config = load_config(SHIPPED / "consumer.yaml", {})

    policy = load_policy(config.policy)

    assert policy.settings.services == ("baselineCheck_global",)
    assert len(policy.sha256) == 64


def test_later_sources_win(tmp_path: Path) -> None:
    """
    The file beats the defaults, the environment beats the file, and --set beats all.
    """
    path = written(tmp_path / "c.yaml", "quota: {qps: 1, jitter: 0.1, burst: 0.1}")

    config = load_config(
        path, {"MODERATION__QUOTA__JITTER": "0.2", "MODERATION__QUOTA__BURST": "0.2"}, ["quota.burst=0.3"]
    )

    assert (config.quota.qps, config.quota.jitter, config.quota.burst) == (1, 0.2, 0.3)


def test_lists_can_be_given_from_outside() -> None:
    """
    Values of the environment and of --set are read as YAML.
    """
    config = load_config(None, {"MODERATION__KAFKA__TOPICS": "[live, backfill]"})

    assert config.kafka.topics == ("live", "backfill")


def test_all_problems_come_at_once_and_say_where_from(tmp_path: Path) -> None:
    """
    Every wrong value is named with its file or variable, its key and what was given.
    """
    path = written(tmp_path / "c.yaml", "quota: {qps: -5}\nkafak: {}")

    problems = problems_of(path, {"MODERATION__RETRIES__MAX_DELAY": "soon"}, "admission.max_bytes=0", "nonsense")

    assert sorted(problems) == sorted(
        [
            "--set nonsense: has no value; write key=value, such as quota.qps=50",
            f"{path}: quota.qps: Input should be greater than 0 (given: -5)",
            "environment MODERATION__RETRIES__MAX_DELAY: retries.max_delay: Input should be a valid number, unable to "
            "parse string as a number (given: 'soon')",
            "--set admission.max_bytes: admission.max_bytes: Input should be greater than 0 (given: 0)",
            f"{path}: kafak: is not a setting",
        ]
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("quota: {qps: 1", "is not YAML"),
        ("quota: {qps: 1}\nquota: {qps: 2}", "key 'quota' stands twice"),
        ("- a\n- b", "must hold a mapping"),
        ("kafka: {topics: [moderation.pass]}", "topics that are read must not be outputs: moderation.pass"),
        ("kafka: {outputs: {block: x, pass: x}}", "each outcome needs a topic of its own"),
        ("kafka: {session_timeout: 5, heartbeat_interval: 3}", "must be three heartbeat_interval"),
        ("shutdown: {drain_on_revoke: 60}", "must be shorter than kafka.rebalance_timeout (60.0 s)"),
        ("provider: {region: mars}", "region 'mars' is none of ap-southeast-1"),
        ("provider: {region: eu-west-1, network: vpc}", "region eu-west-1 has no VPC endpoint"),
        ("provider: {endpoint: 'localhost:1'}", "endpoint must begin with http:// or https://"),
        ("bindings: [{bucket: a, via: url}]", "via: url needs a url template"),
        ("bindings: [{bucket: a, via: oss, url: 'http://a/{key}'}]", "via: oss takes no url"),
        ("bindings: [{bucket: a, via: url, url: 'http://a/{name}'}]", "takes {key} and {bucket}"),
        ("bindings: [{bucket: a, via: oss}, {bucket: a, via: oss}]", "bound more than once: a/"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """
    A configuration that cannot be meant says which file and what is wrong with it.
    """
    path = written(tmp_path / "c.yaml", text)

    [told] = problems_of(path)

    assert told.startswith(f"{path}: ")
    assert problem in told


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """
    The message says which file could not be read, and why.
    """
    assert problems_of(tmp_path / "none.yaml") == [
        f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory"
    ]


def test_the_endpoint_follows_from_region_and_network() -> None:
    """
    Vendor: `green-cip` and `green-cip-vpc` hosts by region; an endpoint of one's own replaces them.
    """
    urls = [
        load_config(None, {}, overrides).provider.base_url
        for overrides in (
            ["provider.region=eu-central-1"],
            ["provider.region=us-east-1", "provider.network=vpc"],
            ["provider.endpoint=http://127.0.0.1:8080/"],
        )
    ]

    assert urls == [
        "https://green-cip.eu-central-1.aliyuncs.com",
        "https://green-cip-vpc.us-east-1.aliyuncs.com",
        "http://127.0.0.1:8080",
    ]


def test_missing_keys_are_named_and_present_ones_hidden() -> None:
    """
    The account's key comes from the vendor's own variables, and its secret does not show.
    """
    with pytest.raises(Misconfigured) as missing:
        load_credentials({"ALIBABA_CLOUD_ACCESS_KEY_ID": "id"})

    credentials = load_credentials({"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary"})

    assert len(missing.value.problems) == 1
    assert "ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set" in missing.value.problems[0]
    assert "canary" not in repr(credentials)
