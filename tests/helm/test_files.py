"""
The chart's files say the same: values, schema, README, and the service's own defaults. Needs no helm.
"""

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import yaml

from consumer.config import Config
from tests.helm.alerts import ALERTS, alerts_of
from tests.helm.chart import CHART, SCENARIOS
from tests.helm.readme import GIVEN_WHOLE, README, VALUES, undocumented, with_table
from tests.helm.test_scenarios import KINDS
from tests.rig.replica import ROOT

OPEN = {*GIVEN_WHOLE, "affinity", "config"}
"""Objects whose members are not the chart's to know."""


def test_the_readme_has_every_value() -> None:
    """
    The README's table is what `python -m tests.helm.readme` makes of the comments in values.yaml.
    """
    readme = README.read_text()

    assert readme == with_table(readme)


def test_the_alerts_are_those_of_the_operations_page() -> None:
    """
    The chart's file is what `python -m tests.helm.alerts` makes of the page.
    """
    assert ALERTS.read_text() == alerts_of((ROOT / "docs" / "operations.md").read_text())


def test_every_value_has_a_comment() -> None:
    """
    Each value is explained where it stands.
    """
    assert undocumented(VALUES.read_text()) == []


def test_values_have_the_services_defaults() -> None:
    """
    The settings that the chart states are the service's defaults, but for the brokers, which must be given, and for
    metrics and callbacks, which nobody would reach on a pod's loopback.
    """
    stated = yaml.safe_load(VALUES.read_text())["config"]
    defaults = Config().model_dump(by_alias=True, mode="json")

    assert stated["kafka"].pop("bootstrap_servers") == ""
    assert stated["health"].pop("metrics_host") == "0.0.0.0"
    stated |= {"callback": stated.pop("scan")["callback"]}
    defaults |= {"callback": defaults["scan"]["callback"]}
    assert stated["callback"].pop("host") == "0.0.0.0"
    assert all(defaults[part][key] == value for part, settings in stated.items() for key, value in settings.items())


def test_the_schema_knows_every_value_and_no_other() -> None:
    """
    At every level the schema's keys are those of values.yaml, and others are refused.
    """
    values = yaml.safe_load(VALUES.read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    del schema["properties"]["global"]  # helm's own

    groups = list(schema_groups(values, schema))

    assert [name for name, given, known in groups if given != known] == []
    assert {"", "image", "probes.readiness", "autoscaling"} <= {name for name, _, _ in groups}


def schema_groups(
    values: dict[str, Any], schema: dict[str, Any], path: str = ""
) -> Iterator[tuple[str, set[str], set[str]]]:
    """Each group's name, its keys in values.yaml, and those that its schema admits."""
    assert schema["additionalProperties"] is False, f"{path} admits unknown keys"
    yield path, set(values), set(schema["properties"])
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in OPEN:
            yield from schema_groups(value, schema["properties"][key], f"{path}.{key}".lstrip("."))


def test_every_scenario_is_tested() -> None:
    """
    Each file in `ci` has its kinds stated, and opens by saying what it is for.
    """
    assert set(SCENARIOS) == set(KINDS)
    assert all(path.read_text().startswith("# ") for path in SCENARIOS.values())


def test_the_chart_is_of_this_version() -> None:
    """
    The chart runs the image of the version that it stands beside.
    """
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == version("moderation-consumer")
