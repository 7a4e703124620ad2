"""What is said of a wrong setting: in words of YAML, and where it stands. Every setting is broken in every way."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from consumer.config import Config
from consumer.config.bindings import Binding
from consumer.config.loading import load_config, load_sound_part, warnings_of
from consumer.config.provider import LaneSettings
from consumer.errors import Misconfigured
from consumer.policy.schema import PolicySettings, load_policy

PYDANTICS = re.compile(
    r"[Ii]nput should|[Vv]alid (tuple|dictionary|string|number|integer|boolean)|instance of|[Ee]xtra inputs|dictionary|"
    r"validation error|Settings|unable to|[Ff]ield required|should (be|have|match)|[Vv]alue error|pydantic|NoneType|"
    r"\b(str|dict|tuple|bool)\b"
)
SECRET = "canary-7f3"
VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, float("inf"), float("nan"), "", "many", SECRET * 40, "2026-11-20x", b"\0\1",
    [], ["many"], [[]], [None], [1, 2], {}, {"unknown": SECRET}, {"unknown": {"deeper": [SECRET]}}, {1: 2},
]  # fmt: skip
VALID: dict[type[BaseModel], dict[str, Any]] = {
    Binding: {"bucket": "a", "via": "oss"},
    LaneSettings: {"topics": ["uploads"]},
    PolicySettings: {"policy": "p", "version": 1},
}

Way = tuple[str | int, ...]


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from models_in(each)


def ways(model: type[BaseModel], above: Way = ()) -> Iterator[Way]:
    """The way to each setting and section; one lane, and one binding."""
    for name, field in model.model_fields.items():
        way = (*above, field.alias or name)
        yield way
        origin = get_origin(field.annotation)
        entry: Way = (*way, "x") if origin is dict else (*way, 0) if origin is tuple else way
        if entry != way:
            yield entry
        for below in models_in(field.annotation):
            yield from ways(below, entry)


ELEMENTS: Mapping[str, Mapping[str, Any]] = {
    "bindings": VALID[Binding],
    "images": {"name": "x", "expect": "clean", "url": "https://img.example.com/a.jpg"},
    "rules": {"id": "r", "match": {"label": ["x"]}, "then": "review"},
    "overlays": {"when": {"tenant": ["t"]}},
}
"""Sound elements of lists, by the list's key."""


def tree_with(model: type[BaseModel], way: Way, value: Any) -> dict[str, Any]:
    """A tree that is sound but for this value."""
    root: dict[str, Any] = dict(VALID.get(model, {}))
    here: Any = root
    for step, below in zip(way, (*way[1:], None), strict=True):
        if below is None:
            here[step] = value
            return root
        if isinstance(below, int):
            element = ELEMENTS.get(str(step))
            here[step] = [dict(element) if element else None]
        else:
            filled = dict(VALID[LaneSettings]) if step == "x" and way[0] == "lanes" else {}
            if isinstance(here, dict):
                here[step] = filled
        here = here[step]
    return root


def told(path: Path, model: type[BaseModel]) -> list[str]:
    try:
        load_config(path, {}) if model is Config else load_policy(path)
    except Misconfigured as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize("model", [Config, PolicySettings])
def test_no_wrong_value_of_a_file_is_told_in_pydantics_words(model: type[BaseModel], tmp_path: Path) -> None:
    """
    Whatever stands in whatever place: file, line and key are named, and what belongs there.
    """
    path = tmp_path / "c.yaml"
    count = 0
    for way in ways(model):
        for value in VALUES:
            path.write_text(yaml.safe_dump(tree_with(model, way, value), sort_keys=False))
            for problem in told(path, model):
                count += 1
                assert re.match(rf"{re.escape(str(path))}:\d+: [\w.…]+: \S", problem), problem
                assert not PYDANTICS.search(problem.removeprefix(str(path))), (way, value, problem)
                assert len(problem) < 600
    assert count > 300


def test_no_wrong_value_from_outside_is_told_in_pydantics_words() -> None:
    """
    The variable or the option is named instead of a line.
    """
    for way in ways(Config):
        if any(step in (0, "x") for step in way):
            continue
        name, variable = ".".join(map(str, way)), "MODERATION__" + "__".join(map(str, way)).upper()
        for value in VALUES:
            text = yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
            for origin, environment, overrides in (
                (f"environment {variable}", {variable: text}, []),
                (f"--set {name}", {}, [f"{name}={text}"]),
            ):
                try:
                    load_config(None, environment, overrides)
                except Misconfigured as error:
                    for problem in error.problems:
                        assert problem.startswith(f"{origin}: "), problem
                        assert not PYDANTICS.search(problem), problem


@pytest.mark.parametrize("model", [Config, PolicySettings])
def test_no_setting_takes_a_number_that_none_can_wait_for_or_count(model: type[BaseModel], tmp_path: Path) -> None:
    """
    Infinity would end the service once it is used, or have it wait for ever; a number too large for Kafka as well.
    """
    path = tmp_path / "c.yaml"
    for way in ways(model):
        for value in (float("inf"), float("-inf"), float("nan"), 1e300):
            path.write_text(yaml.safe_dump(tree_with(model, way, value), sort_keys=False))

            assert told(path, model), (way, value)


def test_a_number_out_of_bounds_is_told_the_bound_that_it_crosses() -> None:
    """
    Whatever the bound: 1 for a share that must be less than 1 is not told that it must be more than 0 alone.
    """
    bounds = {"minimum": -1, "exclusiveMinimum": 0, "maximum": 1, "exclusiveMaximum": 0}
    schema = Config.model_json_schema()
    crossed = 0
    for way in ways(Config):
        if any(step in (0, "x") for step in way):
            continue
        for allowed in number_schemas(schema, way):
            for name, beyond in bounds.items():
                if (bound := allowed.get(name)) is None:
                    continue
                with pytest.raises(Misconfigured) as wrong:
                    load_config(None, {}, [f"{'.'.join(map(str, way))}={bound + beyond}"])
                shown = bound + (allowed["type"] == "integer") * {"exclusiveMinimum": 1, "exclusiveMaximum": -1}.get(
                    name, 0
                )
                plain = str(int(shown)) if shown == int(shown) else f"{shown:g}"
                assert re.search(rf"(?<![\d.]){re.escape(plain)}(?![\d.])", wrong.value.problems[0].partition("(")[0])
                crossed += 1
    assert crossed > 60


def number_schemas(root: dict[str, Any], way: Way) -> Iterator[dict[str, Any]]:
    """The JSON schemas of the numbers that may stand in a place."""
    here = [root]
    for step in way:
        here = [
            each["properties"][step]
            for found in here
            for each in _kinds(root, found)
            if step in each.get("properties", {})
        ]
    for found in here:
        yield from (each for each in _kinds(root, found) if each.get("type") in ("number", "integer"))


def _kinds(root: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if reference := schema.get("$ref"):
        yield from _kinds(root, root["$defs"][reference.rpartition("/")[2]])
    elif "anyOf" in schema:
        for each in schema["anyOf"]:
            yield from _kinds(root, each)
    else:
        yield schema


@pytest.mark.parametrize("way", [way for way in ways(Config) if way[:3] == ("kafka", "security", "sasl")] + [("x",)])
def test_what_may_be_a_secret_is_never_shown(way: Way, tmp_path: Path) -> None:
    """
    Neither what stands where a password belongs, nor what stands under a key that is no setting.
    """
    path = tmp_path / "c.yaml"
    for value in ([SECRET], {"unknown": SECRET}, {SECRET: {}} if way == () else [[SECRET]]):
        path.write_text(yaml.safe_dump(tree_with(Config, way, value)))
        assert SECRET not in "\n".join(told(path, Config))
    if way[-1] in ("sasl", "password", "username", "x"):
        path.write_text(yaml.safe_dump(tree_with(Config, way, [SECRET] if way[-1] == "password" else SECRET)))
        assert SECRET not in "\n".join(told(path, Config))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("quota:\n  qps: many", ":2: quota.qps: must be a whole number of 1 or more (given: 'many')"),
        ("quota: 5", ":1: quota: must be a mapping (given: 5)"),
        ("quota: [5]", ":1: quota: must be a mapping (given: a list)"),
        ("quota:", ":1: quota: must be a mapping (given: null)"),
        ("quota:\n  jitter: 2", ":2: quota.jitter: must be a number from 0 to 1 (given: 2)"),
        ("kafka:\n  topics: uploads", ":2: kafka.topics: must be a list of at least one text (given: 'uploads')"),
        ("kafka:\n  topics:\n    - a\n    - 5", ":4: kafka.topics.1: must be a text: put it in quotes (given: 5)"),
        ("kafka: {group_id: 2026-11-20}", "put it in quotes (given: 2026-11-20)"),
        ("health: {port: 70000}", ":1: health.port: must be a whole number from 0 to 65535 (given: 70000)"),
        ("logs: {level: trace}", ":1: logs.level: must be one of debug, info, warning, error (given: 'trace')"),
        ("logs: {level: warn}", "(given: 'warn'); did you mean warning?"),
        ("privacy: {context: some}", "must be one of all, none, or a list of texts (given: 'some')"),
        ("privacy:\n  context:\n    - 1", ":3: privacy.context.0: must be a text: put it in quotes (given: 1)"),
        ("bindings:\n  - via: oss", ":2: bindings.0.bucket: is missing"),
        ("bindings: [{bucket: a, via: oss, decode_keys: maybe}]", "true or false, or one of auto, always, never"),
        ("kafka: {skip_damaged: [uploads]}", "topic/partition@offset or topic/partition@first-last"),
        ("tracing: {enabled: perhaps}", ":1: tracing.enabled: must be true or false (given: 'perhaps')"),
        ("provider: {region: ap-southeast1}", "did you mean ap-southeast-1?"),
        ("policy: []", ":1: policy: must be a text: a path, or a mapping (given: an empty list)"),
        ("lanes: {1: {topics: [uploads]}}", ":1: lanes.1: the name must be a text: put it in quotes"),
    ],
)
def test_a_wrong_value_says_what_belongs_there(tmp_path: Path, text: str, problem: str) -> None:
    """
    One problem each, with the line that holds the value.
    """
    path = tmp_path / "c.yaml"
    path.write_text(text)

    [only] = told(path, Config)

    assert only.startswith(f"{path}:")
    assert problem in only


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("quota: {qsp: 5}", "quota.qps"),
        ("quota: {QPS: 5}", "quota.qps"),
        ("kafak: {}", "kafka"),
        ("kafka: {groupId: a}", "kafka.group_id"),
        ("kafka: {group-id: a}", "kafka.group_id"),
        ("qps: 5", "quota.qps"),
        ("quota_qps: 5", "quota.qps"),
        ("bindings: [{bucket: a, via: oss, tennant: b}]", "bindings.0.tenant"),
        ("zebra: 5", None),
        ("host: a\nname: b", None),
    ],
)
def test_an_unknown_key_names_the_nearest_setting(tmp_path: Path, text: str, meant: str | None) -> None:
    """
    Of its section, or else the only one of that name; and none where none is near.
    """
    path = tmp_path / "c.yaml"
    path.write_text(text)

    first, *_ = told(path, Config)

    assert first.endswith(f"is not a setting; did you mean {meant}?" if meant else "is not a setting") or (
        meant is None and first.endswith("did you mean health.host?")
    )


def test_a_variable_with_an_unknown_name_is_told_the_right_one() -> None:
    """
    As a variable, and without its value.
    """
    with pytest.raises(Misconfigured) as wrong:
        load_config(None, {"MODERATION__QUOTA__QSP": SECRET, "MODERATION__QUOTA_QPS": SECRET})

    assert wrong.value.problems == (
        "environment MODERATION__QUOTA__QSP: is not a setting; did you mean MODERATION__QUOTA__QPS?",
        "environment MODERATION__QUOTA_QPS: is not a setting; did you mean MODERATION__QUOTA__QPS?",
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MODERATION_QUOTA_QPS", "MODERATION__QUOTA__QPS"),
        ("MODERATION_QUOTA__QPS", "MODERATION__QUOTA__QPS"),
        ("MODERATION_KAFKA_GROUP_ID", "MODERATION__KAFKA__GROUP_ID"),
        ("MODERATION_KAFKA_BOOTSTRAP_SERVER", "MODERATION__KAFKA__BOOTSTRAP_SERVERS"),
        ("moderation__quota__qps", "MODERATION__QUOTA__QPS"),
        ("MODERATION_SERVICE_HOST", None),
        ("MODERATION_CONSUMER_PORT_8080_TCP_ADDR", None),
        ("MODERATION_API_KEY", None),
        ("MODERATION_", None),
        ("MODERATIONS", None),
    ],
)
def test_a_variable_that_is_almost_a_settings_is_warned_of(name: str, meant: str | None) -> None:
    """
    It has no effect. Variables of other services are left alone, and no value is shown.
    """
    expected = [f"environment {name}: has no effect; the setting's variable is {meant}"] if meant else []

    assert warnings_of({name: SECRET}) == expected


def test_a_mapping_that_is_merged_keeps_its_lines(tmp_path: Path) -> None:
    """
    What an anchor brings is named where it is written.
    """
    path = tmp_path / "c.yaml"
    path.write_text("retries: &slow\n  attempts: 0\nbreaker:\n  <<: *slow\n  probe_interval: 0\n")

    assert told(path, Config) == [
        f"{path}:2: retries.attempts: must be a whole number of 1 or more (given: 0)",
        f"{path}:2: breaker.attempts: is not a setting; did you mean retries.attempts?",
        f"{path}:5: breaker.probe_interval: must be a number greater than 0, 2147483 at most (given: 0)",
    ]


def test_what_is_left_of_every_broken_configuration_can_be_used(tmp_path: Path) -> None:
    """
    Whatever value is wrong, the other sections are looked at all the same.
    """
    path = tmp_path / "c.yaml"
    for way in ways(Config):
        path.write_text(yaml.safe_dump(tree_with(Config, way, [[]])))

        config, broken = load_sound_part(path, {})

        assert config is not None
        assert broken <= {str(way[0])}
