"""
What single values of the chart lead to, and which are refused together.
"""

import math
from typing import Any

import pytest
import yaml

from consumer.config.operation import ShutdownSettings
from tests.helm.alerts import alerts_of
from tests.helm.chart import SCENARIOS, Charts, Refused
from tests.rig.replica import ROOT

CLOSING = 10
"""Seconds that the service may take to close after it has drained, when no broker answers."""


def test_the_grace_period_is_longer_than_draining_and_closing(helm_charts: Charts) -> None:
    """
    Whatever the drain timeout, the grace period follows: timeout, ten seconds for closing, the margin, rounded up.
    """

    def grace(*sets: str) -> int:
        period = helm_charts.pod("minimal", *sets)["spec"]["terminationGracePeriodSeconds"]
        assert isinstance(period, int)
        return period

    assert grace() == math.ceil(ShutdownSettings().drain_timeout) + CLOSING + 5
    assert grace("config.shutdown.drain_timeout=40.5") == 56
    assert grace("config.shutdown.drain_timeout=120", "shutdown.margin=1") == 131


def test_pods_are_replaced_when_configuration_or_policy_change(helm_charts: Charts) -> None:
    """
    A changed configuration changes its checksum on the pods and no other; so does a changed policy, or changed tests.
    """

    def checksums(*sets: str) -> dict[str, str]:
        annotations: dict[str, str] = helm_charts.pod("minimal", *sets)["metadata"]["annotations"]
        return {name: annotations[f"checksum/{name}"] for name in ("config", "policy")}

    before = checksums()
    config = checksums("config.quota.jitter=0.05")
    policy = checksums("policy.strict_recall=true")
    neither = checksums("replicas=2")
    tests = ['policyTests=[{"name": "a"}]', 'policyTests=[{"name": "b"}]']
    tested = [helm_charts.pod("minimal", each)["metadata"]["annotations"] for each in tests]

    assert config["config"] != before["config"]
    assert config["policy"] == before["policy"]
    assert policy["policy"] != before["policy"]
    assert policy["config"] == before["config"]
    assert neither == before
    assert tested[0] != tested[1]


def test_pods_that_reload_policies_are_not_replaced_for_one(helm_charts: Charts) -> None:
    """
    A changed policy, tests or policy in shadow change nothing of the pods; one that comes or goes does, as the
    configuration names the files, and so does another interval. The map is mounted whole: a file of it that is mounted
    by itself would never change.
    """

    def pod(*sets: str) -> object:
        return helm_charts.pod("minimal", "policyReload=5", *sets)

    shadows = [f'shadowPolicy={{"policy": "next", "version": {version}}}' for version in (1, 2)]
    tests = [f'policyTests=[{{"name": "{name}"}}]' for name in "ab"]
    before = pod(shadows[0], tests[0])

    assert pod(shadows[1], tests[1], "policy.strict_recall=true") == before
    assert pod(shadows[0]) != before
    assert pod(tests[0]) != before
    assert helm_charts.pod("minimal", "policyReload=9", shadows[0], tests[0]) != before
    assert pod(shadows[0], tests[0], "config.quota.jitter=0.05") != before
    mounts = helm_charts.container("minimal", "policyReload=5")["volumeMounts"]
    assert [mount.get("subPath") for mount in mounts] == [None] * len(mounts)


@pytest.mark.parametrize(
    ("qps", "latency", "max_in_flight", "partitions", "maximum"),
    [
        (100, 0.3, 64, 12, 1),  # 45 calls under way: one replica has room for them
        (400, 0.5, 64, 12, 5),  # 300 of 64 each
        (400, 0.5, 50, 12, 6),  # 300 of 50 each, exactly
        (400, 0.5, 64, 3, 3),  # the partitions are fewer
        (1000, 1.2, 100, 50, 18),
    ],
)
def test_no_more_replicas_than_the_quota_feeds(
    helm_charts: Charts, qps: int, latency: float, max_in_flight: int, partitions: int, maximum: int
) -> None:
    """
    The most replicas are those whose calls the quota allows, and no more than there are partitions.
    """
    scaled = helm_charts.one(
        "ScaledObject",
        "autoscaling",
        "autoscaling.minReplicas=1",
        f"config.quota.qps={qps}",
        f"autoscaling.latency={latency}",
        f"config.provider.max_in_flight={max_in_flight}",
        f"autoscaling.partitions={partitions}",
    )["spec"]

    assert scaled["maxReplicaCount"] == maximum
    assert maximum == min(partitions, math.ceil(1.5 * qps * latency / max_in_flight))


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_autoscaler_owns_the_replicas(helm_charts: Charts, kind: str) -> None:
    """
    A scaled workload states no replicas of its own, and is the one that the scaled object names.
    """
    sets = f'kind="{kind}"'
    workload = helm_charts.one(kind, "autoscaling", sets)
    scaled = helm_charts.one("ScaledObject", "autoscaling", sets)["spec"]

    assert "replicas" not in workload["spec"]
    assert scaled["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": kind, "name": workload["metadata"]["name"]}
    assert scaled["minReplicaCount"] == 2
    assert scaled["triggers"] == [
        {
            "type": "kafka",
            "metadata": {
                "bootstrapServers": "kafka:9092",
                "consumerGroup": "moderation",
                "lagThreshold": "1000",
                "offsetResetPolicy": "earliest",
                "sasl": "scram_sha512",
                "tls": "enable",
                "version": "2.1.0",
            },
            "authenticationRef": {"name": "kafka"},
        }
    ]


def test_a_rollout_never_has_a_replica_too_many(helm_charts: Charts) -> None:
    """
    A Deployment takes a pod away before it adds one; a StatefulSet knows its service.
    """
    deployment = helm_charts.one("Deployment", "minimal")["spec"]
    stateful = helm_charts.one("StatefulSet", "stateful-set")["spec"]

    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    assert stateful["serviceName"] == helm_charts.one("Service", "stateful-set")["metadata"]["name"]
    assert "strategy" not in stateful


def test_the_account_key_comes_by_the_environment_or_as_files(helm_charts: Charts) -> None:
    """
    Without key_files the secret's entries are variables; with them they are mounted there, and there are no variables.
    """
    by_environment = helm_charts.container("minimal")
    as_files = helm_charts.container("key-files")

    assert {each["name"]: each["valueFrom"]["secretKeyRef"]["key"] for each in by_environment["env"]} == {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "access-key-id",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "access-key-secret",
        "ALIBABA_CLOUD_SECURITY_TOKEN": "security-token",
    }
    assert "env" not in as_files
    assert mounted(as_files) == {
        "/etc/moderation-consumer": "config",
        "/run/secrets/account-key": "account-key",
        "/run/secrets/kafka": "kafka",
        "/run/secrets/identity": "identity",
    }
    assert helm_charts.pod("key-files")["spec"]["volumes"][1]["secret"]["secretName"] == "provider-account"


def mounted(container: dict[str, Any]) -> dict[str, str]:
    """Volumes by where they are mounted, for reading."""
    return {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"] if mount["readOnly"]}


@pytest.mark.parametrize(
    ("given", "budget"),
    [
        ([], {"maxUnavailable": 1}),
        (['podDisruptionBudget.maxUnavailable="25%"'], {"maxUnavailable": "25%"}),
        (["podDisruptionBudget.maxUnavailable=0"], {"maxUnavailable": 0}),
        (["podDisruptionBudget.minAvailable=2"], {"minAvailable": 2}),
    ],
)
def test_an_outage_does_not_hold_up_a_drained_node(
    helm_charts: Charts, given: list[str], budget: dict[str, Any]
) -> None:
    """
    The budget is what was asked for, and pods that are not ready may always go.
    """
    spec = helm_charts.one("PodDisruptionBudget", "minimal", *given)["spec"]
    del spec["selector"]

    assert spec == {**budget, "unhealthyPodEvictionPolicy": "AlwaysAllow"}


def test_a_digest_beats_a_tag(helm_charts: Charts) -> None:
    """
    The image is the chart's version, the tag that was given, or the digest.
    """
    by_digest = helm_charts.container("network-policy", 'image.tag="1.2.3"')["image"]

    assert helm_charts.container("minimal")["image"] == "moderation-consumer:0.1.0"
    assert helm_charts.container("minimal", 'image.tag="1.2.3"')["image"] == "moderation-consumer:1.2.3"
    assert by_digest.startswith("registry.example.com/moderation-consumer@sha256:0123")


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (['config.kafka.bootstrap_servers=""'], ["config.kafka.bootstrap_servers"]),
        (['config.policy="/else/policy.yaml"'], ["config.policy", "`policy`"]),
        (['config.health.host="127.0.0.1"'], ["config.health.host", "config.health.port"]),
        (['config.health.metrics_host="127.0.0.1"'], ["config.health.metrics_host", "config.health.metrics_port"]),
        (["config.health.metrics_port=8080"], ["config.health.port", "config.health.metrics_port"]),
        (
            ['extraEnv=[{"name": "MODERATION__HEALTH__METRICS_HOST", "value": "::1"}]'],
            ["MODERATION__HEALTH__METRICS_HOST", "config.health.metrics_host"],
        ),
        (['accountKey.existingSecret=""'], ["accountKey.existingSecret", "extraEnv"]),
        (['config.provider.key_files="keys"'], ["config.provider.key_files", "accountKey.existingSecret"]),
        (
            ['config.provider.key_files="/keys"', 'accountKey.existingSecret=""'],
            ["config.provider.key_files", "accountKey.existingSecret", "extraVolumes"],
        ),
        (
            ['config.provider.key_files="/keys"', 'kafkaSecret={"existingSecret": "tls", "mountPath": "/keys"}'],
            ["config.provider.key_files", "kafkaSecret.mountPath"],
        ),
        (
            ['providerProxy.existingSecret="way-out"', 'config.provider.proxy="http://proxy:3128"'],
            ["providerProxy.existingSecret", "config.provider.proxy"],
        ),
        (
            [
                'providerProxy.existingSecret="way-out"',
                'extraEnv=[{"name": "MODERATION__PROVIDER__PROXY", "value": "http://proxy:3128"}]',
            ],
            ["MODERATION__PROVIDER__PROXY", "providerProxy.existingSecret"],
        ),
        (
            ['providerAuthority={"existingSecret": "a", "existingConfigMap": "b"}'],
            ["providerAuthority.existingSecret", "providerAuthority.existingConfigMap"],
        ),
        (
            ['providerAuthority.existingConfigMap="a"'],
            ["providerAuthority", "/run/authority", "config.provider.ca_file"],
        ),
        (
            ['extraEnv=[{"name": "MODERATION__SHUTDOWN__DRAIN_TIMEOUT", "value": "600"}]'],
            ["MODERATION__SHUTDOWN__DRAIN_TIMEOUT", "config.shutdown.drain_timeout"],
        ),
        (['extraEnv=[{"name": "MODERATION__QUOTA", "value": "{qps: 5}"}]'], ["MODERATION__QUOTA", "config.quota.qps"]),
        (
            ['extraEnv=[{"name": "ALIBABA_CLOUD_ACCESS_KEY_ID", "value": "id"}]'],
            ["ALIBABA_CLOUD_ACCESS_KEY_ID", "accountKey.existingSecret"],
        ),
        (
            [
                'extraEnv=[{"name": "ALIBABA_CLOUD_ACCESS_KEY_ID", "value": "id"}]',
                'config.provider.key_files="/keys"',
            ],
            ["ALIBABA_CLOUD_ACCESS_KEY_ID", "config.provider.key_files"],
        ),
        (
            ['podDisruptionBudget={"maxUnavailable": 1, "minAvailable": 1}'],
            ["podDisruptionBudget.maxUnavailable", "podDisruptionBudget.minAvailable"],
        ),
        (["serviceMonitor.enabled=true"], ["serviceMonitor.enabled", "networkPolicy.metricsFrom"]),
        (
            ["networkPolicy.brokerPorts=[9094]"],
            ["networkPolicy.brokerPorts", "networkPolicy.restrictEgress"],
        ),
        (["autoscaling.enabled=true"], ["autoscaling.enabled", "autoscaling.partitions"]),
        (
            ['autoscaling={"enabled": true, "partitions": 12, "triggerMetadata": {"consumerGroup": "another"}}'],
            ["autoscaling.triggerMetadata.consumerGroup", "config.kafka.group_id"],
        ),
        (
            ['autoscaling={"enabled": true, "partitions": 12, "minReplicas": 3}'],
            ["autoscaling.minReplicas", "config.quota.qps", "autoscaling.partitions"],
        ),
    ],
)
def test_contradictions_are_refused_with_both_names(helm_charts: Charts, values: list[str], names: list[str]) -> None:
    """
    Values that cannot both hold render nothing, and the message names all that take part.
    """
    with pytest.raises(Refused) as refused:
        helm_charts.render("minimal", *values)

    assert all(name in str(refused.value) for name in names)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("replica=2", "replica"),
        ('image.tags="1"', "tags"),
        ("probes.liveness.periodSecond=1", "periodSecond"),
        ('kind="DaemonSet"', "kind"),
        ("config.shutdown.drain_timeout=null", "drain_timeout"),
        ("config.health.port=0", "port"),
        ("config.health.metrics_port=0", "metrics_port"),
        ("config.health.metrics_host=null", "metrics_host"),
        ('config.kafka.bootstrap_servers="kafka"', "bootstrap_servers"),
        ("networkPolicy.ingressFrom=[]", "ingressFrom"),
        ("networkPolicy.metricsFrom=[{}]", "metricsFrom"),
        ("networkPolicy.providerPorts=[]", "providerPorts"),
        ('networkPolicy.brokers=[{"ipBlock": {"cidr": "10.0.0.0"}}]', "brokers"),
        ('topologySpread=[{"topologyKey": "zone", "maxSkew": 1}]', "whenUnsatisfiable"),
    ],
)
def test_values_that_the_schema_does_not_know_are_refused(helm_charts: Charts, value: str, named: str) -> None:
    """
    A misspelt or impossible value is refused by the schema, which names it.
    """
    with pytest.raises(Refused, match=named):
        helm_charts.render("minimal", value)


def test_what_is_kubernetes_own_is_passed_on(helm_charts: Charts) -> None:
    """
    Where pods run and what is added to them is as in the values.
    """
    given = yaml.safe_load(SCENARIOS["network-policy"].read_text())
    pod = helm_charts.pod("network-policy")["spec"]
    added = yaml.safe_load(SCENARIOS["service-monitor"].read_text())
    rich, container = helm_charts.pod("service-monitor"), helm_charts.container("service-monitor")

    for name in ("affinity", "imagePullSecrets", "nodeSelector", "priorityClassName", "tolerations"):
        assert pod[name] == given[name], name
    assert pod["serviceAccountName"] == "moderation"
    assert added["podLabels"].items() <= rich["metadata"]["labels"].items()
    assert added["podAnnotations"].items() <= rich["metadata"]["annotations"].items()
    assert container["env"] == added["extraEnv"]
    assert container["envFrom"] == added["extraEnvFrom"]
    assert rich["spec"]["volumes"][-1:] == added["extraVolumes"]
    assert container["volumeMounts"][-1:] == added["extraVolumeMounts"]
    assert helm_charts.one("ServiceAccount", "service-monitor")["metadata"]["annotations"]


def test_prometheus_is_told_where_metrics_are(helm_charts: Charts) -> None:
    """
    The service monitor names the service's port and the path, and has the labels by which it is found.
    """
    monitor = helm_charts.one("ServiceMonitor", "service-monitor")

    assert monitor["spec"]["endpoints"] == [{"port": "metrics", "path": "/metrics", "interval": "15s"}]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["metadata"]["name"] == "moderation"


def test_prometheus_loads_the_alerts_of_the_operations_page(helm_charts: Charts) -> None:
    """
    Where it is asked for, all of them as they stand there, with the labels by which they are found; else none.
    """
    rule = helm_charts.one("PrometheusRule", "service-monitor")

    assert rule["spec"] == yaml.safe_load(alerts_of((ROOT / "docs" / "operations.md").read_text()))
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert "PrometheusRule" not in {each["kind"] for each in helm_charts.render("minimal")}


def test_a_proxy_comes_from_a_secret_and_an_authority_as_a_file(helm_charts: Charts) -> None:
    """
    The URL of a proxy may hold a password, and stands in no config map; config.provider.ca_file names a mounted file.
    """
    [container] = helm_charts.pod("proxy")["spec"]["containers"]
    [proxy] = [each for each in container["env"] if each["name"] == "MODERATION__PROVIDER__PROXY"]
    [mounted] = [each for each in container["volumeMounts"] if each["name"] == "provider-authority"]
    [volume] = [each for each in helm_charts.pod("proxy")["spec"]["volumes"] if each["name"] == "provider-authority"]

    assert proxy["valueFrom"]["secretKeyRef"] == {"name": "way-out", "key": "proxy"}
    assert mounted == {"name": "provider-authority", "mountPath": "/run/authority", "readOnly": True}
    assert volume["configMap"] == {"name": "authorities"}


UPLOADS = 'config.bindings=[{"bucket": "b", "tenant": "t", "purpose": "p", "via": "upload", "url": "https://b.example/{key}"}]'
FALLS_BACK = UPLOADS.replace('"via": "upload"', '"fallback": "upload"')
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("values", "added"),
    [
        ([UPLOADS], 128),
        ([FALLS_BACK, "config.images.max_bytes_held=67108864"], 64),
        ([UPLOADS, "config.images.frames=8"], 128 + 2 * 1024),
        ([UPLOADS, "config.images.convert=true", "config.images.workers=3"], 128 + 3 * 1024),
        ([UPLOADS, 'config.images.oversize="scale"', "config.images.worker_memory_bytes=536870912"], 128 + 2 * 512),
        ([UPLOADS, 'config.images.frames="first"'], 128),
        ([UPLOADS, "config.images.frames=1"], 128),
        (["config.images.frames=8"], 0),
    ],
)
def test_the_limit_of_memory_grows_with_what_images_take(helm_charts: Charts, values: list[str], added: int) -> None:
    """
    By what is held of them where a binding uploads, and by the workers that decode; the requests stay.
    """
    usual = helm_charts.container("minimal")["resources"]
    grown = helm_charts.container("minimal", *values)["resources"]

    assert usual["limits"]["memory"] == "512Mi"
    assert grown["limits"]["memory"] == (str((512 + added) * MIB) if added else "512Mi")
    assert grown["requests"] == usual["requests"]


@pytest.mark.parametrize(
    ("written", "means"), [("1Gi", 1024 * MIB), ("1.5Gi", 1536 * MIB), ("600M", 600_000_000), ("536870912", 512 * MIB)]
)
def test_a_limit_of_memory_may_have_any_usual_unit(helm_charts: Charts, written: str, means: int) -> None:
    """
    As Kubernetes reads it.
    """
    container = helm_charts.container("minimal", UPLOADS, f'resources.limits.memory="{written}"')

    assert container["resources"]["limits"]["memory"] == str(means + 128 * MIB)


def test_a_limit_of_memory_that_is_none_is_refused(helm_charts: Charts) -> None:
    """
    With the value and how it is written.
    """
    with pytest.raises(Refused, match=r"resources\.limits\.memory is 1GB: write it in Ki, Mi or Gi"):
        helm_charts.container("minimal", UPLOADS, 'resources.limits.memory="1GB"')
