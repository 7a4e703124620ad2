"""
The port of callbacks: where it is opened, who may reach it, and what contradicts it.
"""

import pytest

from tests.helm.chart import Charts, Refused
from tests.helm.connections import Pod, Port
from tests.helm.reach import METRICS, PROMETHEUS, STRANGER, policy_of

CALLBACK = Port(8083, name="callback")
INGRESS = Pod("ingress-nginx", {"app": "controller"})


def test_callbacks_reach_the_port_that_is_listened_on(helm_charts: Charts) -> None:
    """
    By a service of its own, which leads to the pods that are ready; the seed is mounted where the configuration has it.
    """
    port = "config.scan.callback.port=9000"
    service = helm_charts.one("Service", "callback", port, part="callback")["spec"]
    container = helm_charts.container("callback", port)
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    volumes = {each["name"]: each for each in helm_charts.pod("callback", port)["spec"]["volumes"]}

    assert service["ports"] == [{"name": "callback", "port": 9000, "targetPort": "callback"}]
    assert "publishNotReadyAddresses" not in service
    assert {"name": "callback", "containerPort": 9000} in container["ports"]
    assert mounts["callback"] == "/run/secrets/callback"
    assert volumes["callback"]["secret"] == {"secretName": "callback-seed", "defaultMode": 0o440}


def test_a_services_name_is_never_too_long(helm_charts: Charts) -> None:
    """
    Kubernetes takes 63 characters.
    """
    names = [
        each["metadata"]["name"]
        for each in helm_charts.render("callback", f'fullnameOverride="{"a" * 63}"')
        if each["kind"] == "Service"
    ]

    assert sorted(names) == sorted(["a" * 63, f"{'a' * 54}-callback"])


def test_only_who_is_named_may_call_back(helm_charts: Charts) -> None:
    """
    Nothing else is opened by it, and without callbacks the port is closed to all.
    """
    policy, without = policy_of(helm_charts, "callback"), policy_of(helm_charts, "minimal")

    assert policy.may_be_called(INGRESS, CALLBACK)
    assert not any(policy.may_be_called(peer, CALLBACK) for peer in (STRANGER, PROMETHEUS, "10.9.9.9"))
    assert not any(policy.may_be_called(INGRESS, port) for port in (METRICS, Port(22)))
    assert not without.may_be_called(INGRESS, CALLBACK)


def test_without_callbacks_there_is_no_port_for_them(helm_charts: Charts) -> None:
    """
    Nor a service.
    """
    assert [each["name"] for each in helm_charts.container("minimal")["ports"]] == ["health", "metrics"]
    assert len([each for each in helm_charts.render("minimal") if each["kind"] == "Service"]) == 1


@pytest.mark.parametrize(
    ("scenario", "value", "names"),
    [
        ("callback", 'config.scan.callback.host="127.0.0.1"', ["config.scan.callback.host", "callback.port"]),
        ("callback", "config.scan.callback.port=9464", ["config.scan.callback.port", "config.health.metrics_port"]),
        ("callback", "config.scan.callback.port=8080", ["config.scan.callback.port", "config.health.port"]),
        ("callback", 'callbackSecret.existingSecret=""', ["callbackSecret.existingSecret", "extraVolumes"]),
        ("callback", "networkPolicy.callbacksFrom=[]", ["config.scan.callback.url", "networkPolicy.callbacksFrom"]),
        ("minimal", 'callbackSecret.existingSecret="seed"', ["callbackSecret.existingSecret", "callback.url"]),
        ("minimal", 'networkPolicy.callbacksFrom=[{"podSelector": {}}]', ["callbacksFrom", "callback.url"]),
        (
            "callback",
            'extraEnv=[{"name": "MODERATION__SCAN__CALLBACK__PORT", "value": "9"}]',
            ["MODERATION__SCAN__CALLBACK__PORT", "config.scan.callback.port"],
        ),
        (
            "callback",
            'extraEnv=[{"name": "MODERATION__SCAN", "value": "{}"}]',
            ["MODERATION__SCAN", "config.scan.callback"],
        ),
    ],
)
def test_contradictions_about_callbacks_are_refused(
    helm_charts: Charts, scenario: str, value: str, names: list[str]
) -> None:
    """
    The message names both values.
    """
    with pytest.raises(Refused) as refused:
        helm_charts.render(scenario, value)

    assert [name for name in names if name not in str(refused.value)] == []
