import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from consumer.commands.scan.page import NOT_JUDGED
from consumer.config import Config
from consumer.config.credentials import load_credentials
from consumer.config.kafka import KafkaSettings, OutputTopics
from consumer.config.loading import load_config
from consumer.config.provider import ProviderSettings
from consumer.config.yaml_file import read_yaml
from consumer.emulator.settings import EmulatorSettings
from consumer.errors import CallFailed, Misconfigured
from consumer.policy.language import SomeFallbacks
from consumer.policy.schema import OnError, PolicySettings, load_policy
from consumer.records import Decision
from consumer.vendor_facts.aliyun import REGIONS

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


@pytest.mark.parametrize("model", [Config, PolicySettings, EmulatorSettings])
def test_no_pattern_of_a_setting_is_dear(model: type[BaseModel]) -> None:
    """
    Pydantic's regular expressions are unrolled: a class that may repeat 2,000 times takes 12 MiB in every process, and
    70 ms of its start. How long a text may be is said by its length.
    """

    def patterns(schema: Any) -> Iterator[str]:
        if isinstance(schema, dict):
            yield from (schema[key] for key in ("pattern",) if isinstance(schema.get(key), str))
            yield from schema.get("patternProperties", ())
        for each in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            yield from patterns(each)

    found = set(patterns(model.model_json_schema()))
    assert found
    assert {pattern for pattern in found if any(int(most) > 256 for most in re.findall(r"(\d+)\}", pattern))} == set()


def test_a_callback_is_a_url_of_bounded_length(tmp_path: Path) -> None:
    """
    The provider's `callback` is sent with every call; what is too long, or no URL, is refused.
    """
    text = "provider: {api: scan-1.0, region: cn-shanghai}\nscan: {callback: {url: '%s'}}\n"
    url = "https://moderation.example.com/"

    for wrong in (url + "a" * 2_000, "ftp://moderation.example.com/", url + "a b"):
        [problem] = problems_of(written(tmp_path / "c.yaml", text % wrong))
        assert problem.startswith(f"{tmp_path / 'c.yaml'}:2: scan.callback.url: must be a text: ")
    longest = url + "a" * (2_008 - len(url))
    others = problems_of(written(tmp_path / "c.yaml", text % longest))  # what else it needs
    assert not any("must be a text" in each for each in others)


def test_the_shipped_policy_loads() -> None:
    """
    config/policy.yaml is the policy that config/consumer.yaml names.
    """
    config = load_config(SHIPPED / "consumer.yaml", {})

    policy = load_policy(config.policies.file)

    assert policy.settings.services == ("baselineCheck_global",)
    assert len(policy.sha256) == 64


def test_no_output_topic_is_forgotten() -> None:
    """
    `all` holds every topic of the section, and each decision has one: journal, check and traces take them from there.
    """
    outputs = OutputTopics()

    assert set(outputs.all) == {getattr(outputs, name) for name in OutputTopics.model_fields}
    assert outputs.by_decision.keys() == {decision.value for decision in Decision}


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


@pytest.mark.parametrize(("step", "topic"), [("Up-Loads", "Up-Loads"), ("uploads", "uploads"), ("UPLOADS", "uploads")])
def test_a_topic_in_a_variables_name_keeps_its_small_letters(step: str, topic: str) -> None:
    """
    Capitals alone are how variables are written; with small letters among them they are the name's own.
    """
    environment = {"MODERATION__KAFKA__TOPICS": f"[{topic}]", f"MODERATION__SOURCES__{step}": "{tenants: [a]}"}

    assert list(load_config(None, environment).sources) == [topic]


def test_all_problems_come_at_once_and_say_where_from(tmp_path: Path) -> None:
    """
    Every wrong value is named with its line in the file, its variable or its option, and what was given.
    """
    path = written(tmp_path / "c.yaml", "quota: {qps: -5}\nkafak: {}")

    problems = problems_of(path, {"MODERATION__RETRIES__MAX_DELAY": "soon"}, "admission.max_bytes=0", "nonsense")

    assert sorted(problems) == sorted(
        [
            "--set …: has no value; write key=value, such as quota.qps=50",
            f"{path}:1: quota.qps: must be a whole number of 1 or more (given: -5)",
            "environment MODERATION__RETRIES__MAX_DELAY: must be a number greater than 0, 2147483 at most "
            "(given: 'soon')",
            "--set admission.max_bytes: must be a whole number of 1 or more (given: 0)",
            f"{path}:2: kafak: is not a setting; did you mean kafka?",
        ]
    )


@pytest.mark.parametrize(
    "value", ["2020-99-99", "9" * 5000, "[" * 500, "!!bool x", "? [a]"], ids=lambda value: value[:10]
)
def test_a_value_that_yaml_stumbles_over_is_text(value: str) -> None:
    """
    From the environment and from --set: it is kept where a text is wanted, and named where it is not.
    """
    assert load_config(None, {"MODERATION__KAFKA__GROUP_ID": value}).kafka.group_id == value
    assert "quota.qps" in "".join(problems_of(None, None, f"quota.qps={value}"))


@pytest.mark.parametrize("name", ["on", "off", "yes", "no", "On", "true"])
def test_a_name_that_yaml_takes_for_a_boolean_is_text(tmp_path: Path, name: str) -> None:
    """
    Before a colon there are names only, also in what is merged into a mapping; `no` may be a country's lane.
    """
    path = tmp_path / "consumer.yaml"
    path.write_text(f"lanes: &all {{{name}: {{topics: [uploads]}}}}\nnowhere: {{<<: *all}}\n")

    file = read_yaml(path)

    assert file.tree == {"lanes": {name: {"topics": ["uploads"]}}, "nowhere": {name: {"topics": ["uploads"]}}}
    assert file.line(("lanes", name)) == 1


def test_an_address_of_ipv6_is_text() -> None:
    """
    YAML would take `::` for a mapping.
    """
    assert load_config(None, {"MODERATION__HEALTH__HOST": "::"}).health.host == "::"


@pytest.mark.parametrize("brokers", ["kafka", "kafka:9092", "a:1, b:2", "::1", "[::1]:9092", "10.0.0.1:9092,"])
def test_brokers_are_hosts_with_or_without_a_port(brokers: str) -> None:
    """
    Whatever the client can take.
    """
    assert load_config(None, {}, [f"kafka.bootstrap_servers='{brokers}'"]).kafka.bootstrap_servers == brokers


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("quota: {qps: 1", "is not YAML"),
        ("quota: {qps: 1}\nquota: {qps: 2}", ":2: the key 'quota' appears twice, first in line 1"),
        ("- a\n- b", "must hold a mapping"),
        ("kafka: {group_id: 2020-99-99}", ":1: this cannot be read as timestamp: put it in quotes if it is a text"),
        ("quota: {qps: " + "9" * 5000 + "}", "cannot be read as int"),
        ("a: " + "[" * 500 + "]" * 500, "is not YAML"),
        ("a: !!bool x", "cannot be read as bool"),
        ("a: !!timestamp x", "cannot be read as timestamp"),
        ("? [a]\n: 1", "a key must be a text"),
        ("kafka: {bootstrap_servers: 'kafka:ninety'}", "'kafka:ninety' is not a broker: write host:port"),
        ("kafka: {bootstrap_servers: 'a:1,kafka:99999'}", "'kafka:99999' is not a broker"),
        ("kafka: {bootstrap_servers: 'a:b:1'}", "'a:b:1' is not a broker"),
        ("kafka: {bootstrap_servers: ','}", "names no broker"),
        ("kafka: {topics: [moderation.pass]}", "kafka.topics: must not contain an output topic: moderation.pass"),
        ("kafka: {outputs: {block: x, pass: x}}", "each outcome needs a topic of its own"),
        ("kafka: {session_timeout: 5, heartbeat_interval: 3}", "must be at least three times heartbeat_interval"),
        ("kafka: {session_timeout: 60}", "plus kafka.heartbeat_interval, which make 63 s"),
        ("quota: {qps: 5, reserve: 5}", "quota.reserve: is 5 and must be less than qps, which is 5"),
        ("lanes: {a: {topics: [uploads], weight: 0}}", "must be a number greater than 0, 1000000 at most (given: 0)"),
        ("lanes: {a: {topics: [uploads], weight: .inf}}", "must be a finite number"),
        ("lanes: {a: {topics: []}}", "must be a list of at least one text (given: an empty list)"),
        ("lanes: {a: {topics: [uploads]}, b: {topics: [uploads]}}", "topic uploads must be in one lane, it is in 2"),
        ("lanes: {a: {topics: [uploads, other]}}", "lanes.a.topics: topic other is not in kafka.topics"),
        ("shutdown: {drain_on_revoke: 60}", "must be shorter than kafka.rebalance_timeout, which is 60 s"),
        ("provider: {region: mars}", "provider.region: must be one of ap-southeast-1"),
        ("provider: {region: eu-west-1, network: vpc}", "region: eu-west-1 has no VPC endpoint"),
        ("provider: {endpoint: 'localhost:1'}", "provider.endpoint: must begin with http:// or https://"),
        ("provider: {endpoint: 'http://a/b'}", "provider.endpoint: must be scheme and host"),
        ("provider: {endpoint: 'http://'}", "provider.endpoint: must be scheme and host"),
        ("provider: {fallback_region: ap-southeast-1}", "fallback_region: must be another region than ap-southeast-1"),
        ("provider: {fallback_region: us-east-1}", "does not share the configuration of ap-southeast-1"),
        ("provider: {fallback_region: mars}", "fallback_region: must be one of"),
        ("provider: {region: cn-shanghai, fallback_region: cn-beijing}", "not share the configuration of cn-shanghai"),
        ("provider: {fallback_region: eu-west-1, network: vpc}", "region: eu-west-1 has no VPC endpoint"),
        ("provider: {fallback_endpoint: 'http://a'}", "fallback_endpoint: needs a fallback_region"),
        ("provider: {fallback_region: eu-west-1, endpoint: 'http://a'}", "needs a fallback_endpoint"),
        ("provider: {referer: ''}", "must be a text of 1 to 256 characters (given: '')"),
        ("privacy: {keywords: all}", "must be one of none, count, hash, text (given: 'all')"),
        ("bindings: [{bucket: a, via: url}]", "bindings.0.url: is missing: via: url needs a template"),
        ("bindings: [{bucket: a, via: oss, url: 'http://a/{key}'}]", "bindings.0.url: is not used by via: oss"),
        ("bindings: [{bucket: a, via: upload}]", "bindings.0.url: is missing: via: upload needs a template"),
        ("bindings: [{bucket: a, via: upload, fallback: upload, url: 'http://a/{key}'}]", "is not used by via: upload"),
        ("bindings: [{bucket: a, via: upload, url: 'http://u:p@a/{key}'}]", "has a user, which this"),
        ("bindings: [{bucket: a, via: url, fallback: upload, url: 'http://u@a/{key}'}]", "has a user, which this"),
        ("images: {max_bytes_held: 1000}", "is less than one image may have, 20971520 bytes"),
        ("images: {max_fetch_bytes: 30000000}", "images.max_fetch_bytes"),
        ("images: {max_fetch_bytes: 30000000, convert: true}", "nothing makes images smaller"),
        ("images: {max_fetch_bytes: 104857601, oversize: scale}", "images.max_fetch_bytes"),
        ("images: {max_fetch_bytes: 104857600, oversize: scale}", "and 62914560 for what is made of images"),
        ("images: {max_bytes_held: 83886079, frames: 2}", "and 62914560 for what is made of images"),
        ("images: {frames: 65}", "images.frames"),
        ("images: {frames: 0}", "images.frames"),
        ("images: {frames: all}", "images.frames"),
        ("images: {worker_memory_bytes: 1000000}", "images.worker_memory_bytes"),
        ("images: {convert: true, max_decoded_megapixels: 64}", "64 megapixels may take, 1082572800 bytes"),
        ("images: {allow: {networks: [10.0.0.1/8]}}", "is not an address or a network such as 10.0.0.0/8"),
        ("images: {proxy: 'ftp://a'}", "images.proxy"),
        ("bindings: [{bucket: a, via: url, url: 'http://a/{name}'}]", "must contain {key}, may contain {bucket}"),
        ("bindings: [{bucket: a, via: url, url: 'http://a/#{key}'}]", "all objects would be judged as one"),
        ("bindings: [{bucket: a, via: url, url: 'http://a{key}'}]", "must have a / between the host and {key}"),
        ("bindings: [{bucket: a, via: url, url: 'http://a{key:}/{key}'}]", "or keys could choose the host"),
        ("bindings: [{bucket: a, via: url, url: 'http://u:{key}@a/{key}'}]", "or keys could choose the host"),
        ("bindings: [{bucket: a, via: url, url: 'http://a:{key}/{key}'}]", "or keys could choose the host"),
        ("bindings: [{bucket: a, via: url, url: 'http://{version}.a/{key}'}]",
         "must have a / between the host and {version}, or versions could choose the host"),
        ("bindings: [{bucket: a, via: url, url: 'http://a/{version}'}]", "must contain {key}, may contain {bucket}"),
        ("bindings: [{bucket: a, via: url, url: 'http://a/b/../{key}'}]", "must not have a segment . or .."),
        ("bindings: [{bucket: a, via: url, url: 'http://a/{key}?v={version}', versions: latest}]",
         "bindings.0.url: has {version}, which versions: latest ignores"),
        ("sources: {upload: {}}", "sources: topic upload is not in kafka.topics"),
        ("sources: {uploads: {hosts: ['https://cdn.example.com']}}", "sources.uploads.hosts.0: is not a host"),
        ("sources: {uploads: {hosts: ['cdn.example.com:443']}}", "sources.uploads.hosts.0: is not a host"),
        ("sources: {uploads: {max_images: 65}}", "must be a whole number from 1 to 64 (given: 65)"),
        ("sources: {uploads: {tenant: [a]}}", "did you mean sources.uploads.tenants?"),
        ("bindings: [{bucket: a, via: url, url: 'http://a/{key!r}'}]", "must not have a format or conversion"),
        ("bindings: [{bucket: a, via: url, url: 'http://a/{key'}]", "is not a template"),
        ("bindings: [{bucket: a, via: oss}, {bucket: a, via: oss}]", "bindings.1: a/ is bound already by bindings.0"),
        ("bindings: [{bucket: a, via: upload}]", "0.url: is missing: via: upload needs a template, or a store"),
        ("bindings: [{bucket: a, via: upload, store: x, url: 'http://a/{key}'}]",
         "bindings.0.store: and url are two places to download from: remove one of them"),
        ("bindings: [{bucket: a, via: oss, store: x}]", "0.store: is not used by via: oss without fallback: upload"),
        ("bindings: [{bucket: a, via: oss, fallback: upload}]", "bindings.0.fallback: needs a store with via: oss"),
        ("bindings: [{bucket: a, via: upload, store: x, fallback: upload}]",
         "bindings.0.fallback: is not used by via: upload"),
        ("bindings: [{bucket: a, via: url, fallback: upload, store: x}]", "bindings.0.url: is missing: via: url needs"),
        ("{stores: {minio: {type: s3, region: a}}, bindings: [{bucket: a, via: upload, store: mini0}]}",
         "bindings.0.store: 'mini0' is not under stores; did you mean minio?"),
        ("bindings: [{bucket: a, via: upload, store: x}]", "bindings.0.store: 'x' is not under stores"),
        ("stores: {a: {type: s3}}", "stores.a.region: is missing: without an endpoint it says which host is called"),
        ("stores: {a: {type: oss, endpoint: 'https://a'}}", "stores.a.region: is missing: signatures name it"),
        ("stores: {a: {type: s3, region: 'a/b'}}", "stores.a.region: must be a text: ^[A-Za-z0-9-]"),
        ("stores: {A: {type: s3, region: a}}", "stores.A: the name must match ^[a-z0-9]"),
        ("stores: {a: {type: s3, endpoint: 'https://a/b'}}", "stores.a.endpoint: must be scheme and host"),
        ("stores: {a: {type: s3, region: a, access_key_id: x}}", "stores.a.access_key_id: is not a setting"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """
    A configuration that cannot be meant says which file and what is wrong with it.
    """
    path = written(tmp_path / "c.yaml", text)

    told = problems_of(path)

    assert all(re.match(rf"{re.escape(str(path))}(:\d+)?: ", each) for each in told)
    assert problem in "\n".join(told)


@pytest.mark.parametrize(
    ("endpoint", "goes"),
    [
        ("http://127.0.0.1:8090", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8090", True),
        ("http://[::ffff:127.0.0.1]", True),
        ("http://localhost:8090", True),
        ("http://LOCALHOST.", True),
        ("http://emulator.localhost", True),
        ("https://emulator:8090", True),
        ("http://emulator:8090", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://128.0.0.1", False),
        ("http://0.0.0.0:8090", False),
        ("http://[::2]", False),
        ("http://[::ffff:10.0.0.1]", False),
    ],
)
def test_clear_text_to_another_machine_is_a_choice(tmp_path: Path, endpoint: str, goes: bool) -> None:
    """
    Verdicts that everyone on the way could forge are refused, with why and what to do, unless they are allowed.
    """
    text = f"provider: {{endpoint: '{endpoint}', fallback_region: eu-west-1, fallback_endpoint: '{endpoint}'}}"
    path = written(tmp_path / "c.yaml", text)

    if goes:
        load_config(path, {})
    else:
        first, second = problems_of(path)
        assert first.startswith(f"{path}:1: provider.endpoint: is http:// to ")
        assert second.startswith(f"{path}:1: provider.fallback_endpoint: is http:// to ")
        assert "forge verdicts; use https://, or set provider.allow_clear_text: true" in first
    load_config(path, {}, ["provider.allow_clear_text=true"])


@pytest.mark.parametrize(
    ("endpoint", "goes"),
    [("https://minio:9000", True), ("http://127.0.0.1:9000", True), ("http://minio:9000", False)],
)
def test_a_store_is_not_read_in_clear_text_unless_that_is_allowed(tmp_path: Path, endpoint: str, goes: bool) -> None:
    """
    On another machine, where everyone on the way could put other images in the place of those that are judged.
    """
    path = written(tmp_path / "c.yaml", f"stores: {{a: {{type: s3, endpoint: '{endpoint}'}}}}")

    if goes:
        load_config(path, {})
    else:
        [problem] = problems_of(path)
        assert problem.startswith(f"{path}:1: stores.a.endpoint: is http:// to another machine")
    load_config(path, {}, ["stores.a.allow_clear_text=true"])


def test_a_stores_key_files_are_seen_from_the_files_folder(tmp_path: Path) -> None:
    """
    As all paths of a configuration are; an absolute one stays as it is.
    """
    text = "stores: {a: {type: s3, region: x, key_files: keys}, b: {type: s3, region: x, key_files: /run/keys}}"

    config = load_config(written(tmp_path / "c.yaml", text), {})

    assert config.stores["a"].key_files == tmp_path / "keys"
    assert config.stores["b"].key_files == Path("/run/keys")


@pytest.mark.parametrize(
    ("text", "in_path"),
    [
        ("type: s3, endpoint: 'https://minio:9000'", True),
        ("type: s3, endpoint: 'https://minio:9000', path_style: false", False),
        ("type: s3, region: eu-west-1", False),
        ("type: oss, region: cn-shanghai, endpoint: 'https://oss-cn-shanghai-internal.aliyuncs.com'", False),
    ],
)
def test_where_the_bucket_stands_follows_from_the_store(tmp_path: Path, text: str, in_path: bool) -> None:
    """
    In the path of a store of one's own, in front of the host of the large ones, unless it is said.
    """
    config = load_config(written(tmp_path / "c.yaml", f"stores: {{a: {{{text}}}}}"), {})

    assert config.stores["a"].has_bucket_in_path is in_path


@pytest.mark.parametrize(
    ("protocol", "brokers", "hosts"),
    [
        ("PLAINTEXT", "localhost:9092", ()),
        ("PLAINTEXT", "127.0.0.1,[::1]:9092,::1", ()),
        ("PLAINTEXT", "localhost:9092, kafka-1:9092,10.0.0.1,[fe80::1%eth0]:9092", ("kafka-1", "10.0.0.1", "fe80::1")),
        ("SSL", "kafka-1:9092", ()),
    ],
)
def test_brokers_that_are_called_in_clear_are_known(protocol: str, brokers: str, hosts: tuple[str, ...]) -> None:
    """
    Those on another machine, where the protocol has no TLS.
    """
    settings = KafkaSettings.model_validate({"bootstrap_servers": brokers, "security": {"protocol": protocol}})

    assert settings.hosts_in_clear == hosts


def test_without_lanes_there_is_one_of_all_topics() -> None:
    """
    Its part is all that the reserve leaves.
    """
    config = load_config(None, {}, ["kafka.topics=[a, b]", "quota.reserve=30"])

    assert config.calls_by_lane == {"default": 70}
    assert config.lane_by_topic == {"a": "default", "b": "default"}


def test_lanes_divide_the_quota_by_weight(tmp_path: Path) -> None:
    """
    In whole calls a second that sum to what the reserve leaves.
    """
    path = written(
        tmp_path / "c.yaml",
        "kafka: {topics: [live, old, older]}\nquota: {qps: 100, reserve: 20}\n"
        "lanes: {live: {topics: [live], weight: 9}, backfill: {topics: [old, older]}}",
    )

    config = load_config(path, {})

    assert config.calls_by_lane == {"live": 72, "backfill": 8}
    assert config.lane_by_topic == {"live": "live", "old": "backfill", "older": "backfill"}


def test_all_that_is_wrong_with_the_lanes_comes_at_once(tmp_path: Path) -> None:
    """
    A topic in no lane, one in two, one that is not read, and a weight that buys no call.
    """
    path = written(
        tmp_path / "c.yaml",
        "kafka: {topics: [a, b]}\nlanes: {x: {topics: [a], weight: 1000}, y: {topics: [a, c], weight: 0.1}}",
    )

    assert problems_of(path) == [
        f"{path}:2: lanes: topic a must be in one lane, it is in 2",
        f"{path}:2: lanes: topic b must be in one lane, it is in none",
        f"{path}:2: lanes.y.topics: topic c is not in kafka.topics",
        f"{path}:2: lanes.y.weight: 0.1 of all weights is less than one call a second of 100",
    ]


def security(text: str) -> str:
    return f"kafka: {{security: {{{text}}}}}"


SCRAM = "mechanism: SCRAM-SHA-256, username: ada"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("protocol: SASL_SSL", "protocol: SASL_SSL needs sasl.mechanism"),
        ("protocol: TLS", "must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL (what is given is not shown)"),
        ("tls: {ca_file: ca}", "tls: is set, but protocol PLAINTEXT has no TLS"),
        ("protocol: SSL, tls: {certificate_file: c}", "tls.certificate_file: needs tls.key_file"),
        ("protocol: SSL, tls: {key_file: k}", "tls.key_file: needs tls.certificate_file"),
        ("protocol: SSL, tls: {key_password_file: p}", "tls.key_password_file: needs tls.key_file"),
        (f"protocol: SSL, sasl: {{{SCRAM}, password_file: p}}", "protocol SSL has no SASL"),
        (
            "protocol: SASL_SSL, sasl: {username: ada}",
            "sasl.username: is set but sasl.mechanism is not",
        ),
        ("protocol: SASL_SSL, sasl: {mechanism: PLAIN, password_file: p}", "PLAIN needs sasl.username"),
        (f"protocol: SASL_SSL, sasl: {{{SCRAM}}}", "SCRAM-SHA-256 needs sasl.password_file, or sasl.password"),
        (
            f"protocol: SASL_SSL, sasl: {{{SCRAM}, password_file: p, token_file: t}}",
            "sasl.token_file: is not used",
        ),
        (f"protocol: SASL_SSL, sasl: {{{SCRAM}, password_file: p, password: canary}}", "are both set: remove one"),
        ("protocol: SASL_SSL, sasl: {mechanism: OAUTHBEARER}", "OAUTHBEARER needs sasl.token_file"),
        (
            "protocol: SASL_SSL, sasl: {mechanism: OAUTHBEARER, token_file: t, username: ada}",
            "sasl.username: is not used by sasl.mechanism OAUTHBEARER: remove it",
        ),
        (
            "protocol: SASL_PLAINTEXT, sasl: {mechanism: PLAIN, username: ada, password_file: p}",
            "use SASL_SSL or a SCRAM mechanism, or set sasl.allow_clear_text",
        ),
        (
            "protocol: SASL_PLAINTEXT, sasl: {mechanism: OAUTHBEARER, token_file: t}",
            "OAUTHBEARER over protocol SASL_PLAINTEXT sends the secret unencrypted",
        ),
        ("protocol: SASL_SSL, sasl: {mechanism: OAUTHBEARER, token_file: t, extensions: {a_b: c}}", "extensions"),
        (
            f"protocol: SASL_SSL, sasl: {{{SCRAM}, password: 123456}}",
            "put it in quotes (what is given is not shown)",
        ),
        (
            "protocol: SASL_SSL, sasl: {pasword: canary}",
            "did you mean kafka.security.sasl.password?",
        ),
    ],
)
def test_a_way_in_that_contradicts_itself_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """
    Both settings are named, and never what was given as a password, in the right place or the wrong one.
    """
    path = written(tmp_path / "c.yaml", security(text))

    problems = problems_of(path)

    assert any(problem in told and told.startswith(f"{path}:1: kafka.security") for told in problems)
    assert not any(secret in told for secret in ("canary", "123456") for told in problems)


def test_every_contradiction_of_a_way_in_is_named_at_once(tmp_path: Path) -> None:
    """
    Each is a problem of its own: after one is corrected, no other appears.
    """
    path = written(tmp_path / "c.yaml", security("protocol: SASL_SSL, tls: {key_file: k}, sasl: {mechanism: PLAIN}"))

    told = problems_of(path)

    assert len(told) == 3
    for named in ("tls.key_file: needs", "needs sasl.username", "needs sasl.password_file"):
        assert named in "\n".join(told)


def test_a_password_from_outside_is_a_text(tmp_path: Path) -> None:
    """
    What YAML would read as a number, a date or nothing is a password all the same, and it does not show.
    """
    path = written(tmp_path / "c.yaml", security("protocol: SASL_SSL, sasl: {mechanism: PLAIN, username: ada}"))

    for word in ("0123", "null", "2026-11-20", "[a, b]", "it's: #1"):
        config = load_config(path, {"MODERATION__KAFKA__SECURITY__SASL__PASSWORD": word})

        password = config.kafka.security.sasl.password
        assert password is not None
        assert password.get_secret_value() == word
        assert word not in repr(config.kafka.security.sasl)


def test_the_files_of_a_way_in_are_seen_from_the_configuration(tmp_path: Path) -> None:
    """
    Relative files are resolved as the policy's is; absolute ones stay.
    """
    sasl = "{mechanism: PLAIN, username: ada, password_file: /run/secrets/kafka}"
    path = written(tmp_path / "c.yaml", security(f"protocol: SASL_SSL, tls: {{ca_file: ca.pem}}, sasl: {sasl}"))

    found = load_config(path, {}).kafka.security

    assert found.tls.ca_file == tmp_path / "ca.pem"
    assert found.sasl.password_file == Path("/run/secrets/kafka")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """
    The message says which file could not be read, and why.
    """
    assert problems_of(tmp_path / "none.yaml") == [
        f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory"
    ]


def urls(*overrides: str) -> dict[str, str]:
    return dict(load_config(None, {}, [f"provider.{override}" for override in overrides]).provider.regions)


@pytest.mark.parametrize("region", REGIONS)
def test_the_endpoint_follows_from_region_and_network(region: str) -> None:
    """
    Vendor: `green-cip` and, in some regions, `green-cip-vpc` hosts.
    """
    assert urls(f"region={region}") == {region: f"https://green-cip.{region}.aliyuncs.com"}
    if region in ("eu-west-1", "us-west-1", "cn-chengdu"):
        assert "has no VPC endpoint" in problems_of(None, {}, f"provider.region={region}", "provider.network=vpc")[0]
    else:
        assert urls(f"region={region}", "network=vpc") == {region: f"https://green-cip-vpc.{region}.aliyuncs.com"}


def test_an_endpoint_of_ones_own_replaces_the_regions() -> None:
    """
    The region keeps its name; each of the two has its own endpoint.
    """
    first, second = "endpoint=http://127.0.0.1:8080/", "fallback_endpoint=http://127.0.0.1:8081"

    assert urls(first) == {"ap-southeast-1": "http://127.0.0.1:8080"}
    assert urls(first, "fallback_region=eu-west-1", second) == {
        "ap-southeast-1": "http://127.0.0.1:8080", "eu-west-1": "http://127.0.0.1:8081",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ap-southeast-1", "eu-west-1"), ("eu-west-1", "ap-southeast-1"), ("us-east-1", "us-west-1"),
        ("us-west-1", "eu-central-1"), ("eu-central-1", "us-east-1"),
    ],
)  # fmt: skip
def test_a_region_falls_back_to_one_that_shares_its_configuration(first: str, second: str) -> None:
    """
    Vendor: London uses Singapore's console configuration; Silicon Valley and Frankfurt use Virginia's.
    """
    asked = urls(f"region={first}", f"fallback_region={second}")

    assert list(asked.items()) == [
        (first, f"https://green-cip.{first}.aliyuncs.com"), (second, f"https://green-cip.{second}.aliyuncs.com"),
    ]  # fmt: skip


def test_the_1_0_api_has_its_own_regions_and_limits(tmp_path: Path) -> None:
    """
    Its own hosts; no region in place of another, no buckets, no Referer, and a quota that is said, as it is images.
    """
    config = load_config(None, {}, ["provider.api=scan-1.0", "provider.region=cn-beijing", "quota.qps=50"])
    assert config.provider.regions == (("cn-beijing", "https://green.cn-beijing.aliyuncs.com"),)

    path = written(
        tmp_path / "c.yaml",
        """
provider: {api: scan-1.0, region: cn-beijing, fallback_region: cn-shanghai, referer: https://a.example}
""",
    )
    assert [each.partition(": ")[2].split(",")[0] for each in problems_of(path)] == [
        "provider.fallback_region: is not for api: scan-1.0", "provider.referer: is not for api: scan-1.0",
    ]  # fmt: skip
    path = written(
        tmp_path / "c.yaml",
        """
provider: {api: scan-1.0}
bindings: [{bucket: ugc, via: oss, region: cn-beijing}]
oss: {buckets: [ugc]}
canaries: {images: [{name: a, expect: clean, object: {bucket: b, key: k, region: cn-beijing}}]}
""",
    )
    assert [each.partition(": ")[2].split(" ")[0] for each in problems_of(path)] == [
        "bindings.0.via:", "oss.buckets:", "canaries.images.0.object:", "quota.qps:",
    ]  # fmt: skip
    twice = written(tmp_path / "c.yaml", "scan: {scenes: [porn, ad, porn]}")
    assert "scan.scenes: names porn 2 times" in problems_of(twice)[0]
    elsewhere = written(tmp_path / "c.yaml", "provider: {api: scan-1.0, region: eu-west-1, network: vpc}")
    assert "must be one of cn-shanghai, cn-beijing, cn-shenzhen, ap-southeast-1" in problems_of(elsewhere)[0]


def test_a_call_has_no_more_images_than_the_quota_lets_depart_at_once(tmp_path: Path) -> None:
    """
    More would wait for one another, and cost images a second. The line that is to be changed is named.
    """
    account = "provider: {api: scan-1.0, region: cn-shanghai}\nscan: {tasks_per_call: 8}\nquota: {qps: 50, reserve: 10"

    [problem] = problems_of(written(tmp_path / "c.yaml", f"{account}}}\n"))
    assert f"{tmp_path / 'c.yaml'}:2: scan.tasks_per_call: is 8, and quota.burst" in problem
    assert "lets 1 depart at once: raise quota.burst, or have fewer" in problem
    written(tmp_path / "c.yaml", f"{account}, burst: 0.2}}\n")
    assert load_config(tmp_path / "c.yaml", {}).scan.tasks_per_call == 8


def test_an_image_that_could_not_be_judged_is_never_passed(tmp_path: Path) -> None:
    """
    A policy may block where it would review, and the refusal of anything else says so.
    """
    path = written(
        tmp_path / "p.yaml", "{policy: p, version: 1, on_error: {image: block, fetch: pass, provider: drop}}"
    )

    with pytest.raises(Misconfigured) as refused:
        load_policy(path)

    assert refused.value.problems == (
        f"{path}:1: on_error.fetch: an image that could not be judged is never passed: write review or block "
        "(P011) (given: 'pass')",
        f"{path}:1: on_error.provider: must be one of review, block (given: 'drop')",
    )


def test_every_way_to_end_unjudged_has_its_setting() -> None:
    """
    Each kind of failed call that can end an image stands in `on_error`, of a policy and of an overlay, and has words on
    the page of a scan. Throttling never ends one.
    """
    branches, kinds = [CallFailed], set()
    while branches:
        branch = branches.pop()
        kinds.add(branch.kind)
        branches += branch.__subclasses__()

    ending = kinds - {"throttle"}
    assert ending == set(OnError.model_fields) == set(SomeFallbacks.model_fields) == set(NOT_JUDGED)


SET = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "canary"}


def test_missing_keys_are_named_and_present_ones_hidden() -> None:
    """
    The account's key comes from the vendor's own variables, and its secret does not show.
    """
    with pytest.raises(Misconfigured) as missing:
        load_credentials({"ALIBABA_CLOUD_ACCESS_KEY_ID": "id"}, ProviderSettings())
    with pytest.raises(Misconfigured) as wrong:
        load_credentials({**SET, "ALIBABA_CLOUD_ACCESS_KEY_ID": "two words"}, ProviderSettings())

    credentials = load_credentials({**SET, "ALIBABA_CLOUD_SECURITY_TOKEN": "canary-token"}, ProviderSettings())

    assert missing.value.problems == (
        "environment ALIBABA_CLOUD_ACCESS_KEY_SECRET: is not set; it is the provider account's key",
    )
    assert wrong.value.problems == (
        "environment ALIBABA_CLOUD_ACCESS_KEY_ID: holds more than the printable ASCII of a key",
    )
    assert "canary" not in repr(credentials)


def test_a_key_without_a_token_is_a_lasting_one() -> None:
    """
    The token's variable may be absent or empty; line breaks around a value are no part of it.
    """
    lasting = load_credentials({**SET, "ALIBABA_CLOUD_SECURITY_TOKEN": ""}, ProviderSettings())
    temporary = load_credentials({**SET, "ALIBABA_CLOUD_SECURITY_TOKEN": "token\n"}, ProviderSettings())

    assert lasting.security_token is None
    assert temporary.security_token is not None
    assert temporary.security_token.get_secret_value() == "token"


def test_key_files_come_before_the_environment(tmp_path: Path) -> None:
    """
    Where a folder is named its files are the key, with or without a token; the environment's is not used.
    """
    written(tmp_path / "access-key-id", "file-id\n")
    written(tmp_path / "access-key-secret", "file-secret\n")

    lasting = load_credentials(SET, ProviderSettings(key_files=tmp_path))
    written(tmp_path / "security-token", "file-token\n")
    temporary = load_credentials({}, ProviderSettings(key_files=tmp_path))

    assert (lasting.access_key_id, lasting.access_key_secret.get_secret_value()) == ("file-id", "file-secret")
    assert lasting.security_token is None
    assert temporary.security_token is not None
    assert temporary.security_token.get_secret_value() == "file-token"


def test_what_is_wrong_with_key_files_is_named_without_their_contents(tmp_path: Path) -> None:
    """
    Every file that is missing, empty or no key is named at once, and no part of a secret with it.
    """
    written(tmp_path / "access-key-secret", "canary\ncanary")
    written(tmp_path / "security-token", "\n")

    with pytest.raises(Misconfigured) as wrong:
        load_credentials(SET, ProviderSettings(key_files=tmp_path))

    assert wrong.value.problems == (
        f"{tmp_path}/access-key-id: cannot be read: No such file or directory",
        f"{tmp_path}/access-key-secret: holds more than the printable ASCII of a key",
        f"{tmp_path}/security-token: is empty",
    )


def test_the_key_files_are_seen_from_the_configuration(tmp_path: Path) -> None:
    """
    A relative folder is resolved like the policy's file; an absolute one stays.
    """
    near = load_config(written(tmp_path / "c.yaml", "provider: {key_files: keys}"), {})
    far = load_config(written(tmp_path / "d.yaml", "provider: {key_files: /run/secrets/provider}"), {})

    assert near.provider.key_files == tmp_path / "keys"
    assert far.provider.key_files == Path("/run/secrets/provider")


@pytest.mark.parametrize(
    ("identity", "key", "problem"),
    [
        ({"sign": "a"}, "identity.sign", "must be one of keys, which are: none (given: 'a')"),
        ({"keys": {"a": "f"}}, "identity.sign", "is needed"),
        ({"keys": {"a b": "f"}, "sign": "a b"}, "identity.keys.a b", "must be named by"),
        ({"accept_unsigned_until": "2027-01-01T00:00:00Z"}, "identity.accept_unsigned_until", "has no effect"),
        ({"keys": {"a": "f"}, "accept_unsigned_until": "2027-01-01"}, "identity.accept_unsigned_until", "must be"),
    ],
)
def test_an_identity_that_cannot_work_is_refused(
    tmp_path: Path, identity: dict[str, Any], key: str, problem: str
) -> None:
    """
    A service that would not believe its own outcomes would pay for every image again at each restart.
    """
    file = tmp_path / "consumer.yaml"
    file.write_text(yaml.safe_dump({"identity": identity}))

    with pytest.raises(Misconfigured) as refused:
        load_config(file, {}, ())

    [found] = refused.value.problems
    assert f"{key}: {problem}" in found


def test_keys_are_seen_from_the_files_folder(tmp_path: Path) -> None:
    """
    As every path in the file is.
    """
    file = tmp_path / "consumer.yaml"
    file.write_text("identity: {sign: a, keys: {a: keys/a, b: /keys/b}}\n")

    assert load_config(file, {}, ()).identity.keys == {"a": tmp_path / "keys" / "a", "b": Path("/keys/b")}
