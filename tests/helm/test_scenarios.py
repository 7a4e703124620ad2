"""
What helm makes of each scenario in the chart's `ci` folder.
"""

from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from consumer.config.loading import load_config
from consumer.policy_files.fixtures import read_fixtures
from consumer.policy_files.loading import load_policies
from tests.helm.chart import KUBERNETES, SCENARIOS, Charts

EVERY = {"ConfigMap", "NetworkPolicy", "Service"}
KINDS = {
    "autoscaling": EVERY | {"Deployment", "PodDisruptionBudget", "ScaledObject", "ServiceAccount"},
    "callback": EVERY | {"Deployment", "PodDisruptionBudget", "ServiceAccount"},
    "key-files": EVERY | {"Deployment", "PodDisruptionBudget", "ServiceAccount"},
    "minimal": EVERY | {"Deployment", "PodDisruptionBudget", "ServiceAccount"},
    "network-policy": EVERY | {"Deployment"},
    "people": EVERY | {"Deployment", "PodDisruptionBudget", "ServiceAccount", "ServiceMonitor"},
    "proxy": EVERY | {"Deployment", "PodDisruptionBudget", "ServiceAccount"},
    "service-monitor": EVERY
    | {"Deployment", "PodDisruptionBudget", "PrometheusRule", "ServiceAccount", "ServiceMonitor"},
    "stateful-set": EVERY | {"PodDisruptionBudget", "ServiceAccount", "StatefulSet"},
}
DEFINED_BY_OPERATORS = {"PrometheusRule", "ScaledObject", "ServiceMonitor"}
"""Kinds that Kubernetes has no schema of."""

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


@each_scenario
def test_helm_finds_nothing_to_say(helm_charts: Charts, scenario: str) -> None:
    """
    `helm lint --strict` takes the scenario without an error or a warning.
    """
    said = helm_charts.lint(scenario)

    assert "0 chart(s) failed" in said
    assert "[ERROR]" not in said
    assert "[WARNING]" not in said


@each_scenario
def test_a_scenario_has_its_kinds(helm_charts: Charts, scenario: str) -> None:
    """
    Each kind that a scenario asks for is rendered once, and no other.
    """
    kinds = helm_charts.of("service", scenario)

    assert sorted(kinds) == sorted(KINDS[scenario])


@each_scenario
def test_kubernetes_would_take_it(helm_charts: Charts, scenario: str) -> None:
    """
    Every manifest fits Kubernetes' own schema, and has no field that the schema lacks.
    """
    manifests = [each for each in helm_charts.render(scenario) if each["kind"] not in DEFINED_BY_OPERATORS]

    for manifest in manifests:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)

    assert manifests


@each_scenario
def test_the_service_takes_its_configuration(helm_charts: Charts, scenario: str, tmp_path: Path) -> None:
    """
    The config map's files, loaded as the service loads them, are a configuration and a policy, and hold what the
    scenario's values say.
    """
    values = yaml.safe_load(SCENARIOS[scenario].read_text())
    files = helm_charts.one("ConfigMap", scenario)["data"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    config = load_config(tmp_path / "consumer.yaml", {})
    policy = load_policies(config.policies)

    shadow, tests = values.get("shadowPolicy"), values.get("policyTests")
    beside = {"shadow-policy.yaml": shadow, "policy.tests.yaml": tests}
    assert set(files) == {"consumer.yaml", "policy.yaml", *(name for name, is_there in beside.items() if is_there)}
    assert config.policies.reload == values.get("policyReload")
    assert (
        [each.name for each in read_fixtures(tmp_path / "policy.tests.yaml")] == [each["name"] for each in tests]
        if tests
        else config.policies.tests is None
    )
    assert (policy.shadow and policy.shadow.settings.version) == (shadow and shadow["version"])
    assert holds(yaml.safe_load(files["consumer.yaml"]), values["config"])
    assert holds(yaml.safe_load(files["policy.yaml"]), values.get("policy", {}))
    assert config.kafka.bootstrap_servers == values["config"]["kafka"]["bootstrap_servers"]
    assert policy.settings.policy == values.get("policy", {}).get("policy", "default")


def holds(whole: object, part: object) -> bool:
    """Whether every setting of `part` stands in `whole`, with its type."""
    if isinstance(whole, dict) and isinstance(part, dict):
        return all(key in whole and holds(whole[key], value) for key, value in part.items())
    return type(whole) is type(part) and whole == part


@each_scenario
def test_selectors_and_labels_agree(helm_charts: Charts, scenario: str) -> None:
    """
    Everything that selects pods selects those of this release; everything has the release's labels.
    """
    manifests = helm_charts.of("service", scenario)
    pod = helm_charts.pod(scenario)
    workload = manifests.get("Deployment") or manifests["StatefulSet"]
    budget, policy, monitor = (
        manifests.get(kind) for kind in ("PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor")
    )

    selected = [
        workload["spec"]["selector"]["matchLabels"],
        manifests["Service"]["spec"]["selector"],
        *(each["spec"]["selector"] for each in helm_charts.of("callback", scenario).values()),
        *(each["labelSelector"]["matchLabels"] for each in pod["spec"]["topologySpreadConstraints"]),
        *([budget["spec"]["selector"]["matchLabels"]] if budget else []),
        *([policy["spec"]["podSelector"]["matchLabels"]] if policy else []),
    ]
    labels = [each["metadata"]["labels"] for each in (*manifests.values(), pod)]

    assert all(each == selected[0] for each in selected)
    assert all(selected[0].items() <= each.items() for each in labels)
    assert selected[0] == {"app.kubernetes.io/name": "moderation-consumer", "app.kubernetes.io/instance": "r"}
    if monitor:
        assert monitor["spec"]["selector"]["matchLabels"].items() <= manifests["Service"]["metadata"]["labels"].items()


@each_scenario
def test_pods_may_do_next_to_nothing(helm_charts: Charts, scenario: str) -> None:
    """
    Pods run as nobody in particular, write nowhere, gain nothing, and have no token.
    """
    pod = helm_charts.pod(scenario)["spec"]
    container = helm_charts.container(scenario)["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@each_scenario
def test_what_a_pod_may_fill_of_its_nodes_disk_is_bounded(helm_charts: Charts, scenario: str) -> None:
    """
    Ephemeral storage is requested and limited, and the limit is above the 50 MiB to which the kubelet lets logs grow.
    """
    resources = helm_charts.container(scenario)["resources"]

    assert resources["requests"]["ephemeral-storage"] == "64Mi"
    assert resources["limits"]["ephemeral-storage"] == "512Mi"


@each_scenario
def test_probes_ask_where_the_service_answers(helm_charts: Charts, scenario: str, tmp_path: Path) -> None:
    """
    Probes and service reach the ports that the configuration names, through their names; that of metrics is not the
    pod's own loopback.
    """
    (tmp_path / "consumer.yaml").write_text(helm_charts.one("ConfigMap", scenario)["data"]["consumer.yaml"])
    health = load_config(tmp_path / "consumer.yaml", {}).health
    ports = {"health": health.port, "metrics": health.metrics_port}
    container = helm_charts.container(scenario)
    service = helm_charts.one("Service", scenario)["spec"]

    assert container["ports"][:2] == [{"name": name, "containerPort": port} for name, port in ports.items()]
    assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "health"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    assert service["ports"] == [{"name": name, "port": port, "targetPort": name} for name, port in ports.items()]
    assert health.metrics_host == "0.0.0.0"
    assert service["publishNotReadyAddresses"] is True


@each_scenario
def test_what_is_mounted_is_there(helm_charts: Charts, scenario: str) -> None:
    """
    Every mount has its volume and every volume is mounted.
    """
    volumes = [volume["name"] for volume in helm_charts.pod(scenario)["spec"]["volumes"]]
    mounts = [mount["name"] for mount in helm_charts.container(scenario)["volumeMounts"]]

    assert sorted(volumes) == sorted(set(mounts))
