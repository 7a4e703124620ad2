"""
The part of the chart that takes people's decisions: off unless it is asked for, and apart from the service's pods.
"""

from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest

from tests.helm.chart import KUBERNETES, Charts, Refused
from tests.helm.connections import Connections, Port
from tests.helm.reach import METADATA, PROBES, PROMETHEUS

KINDS = {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceMonitor"}
PROVIDER = ("203.0.113.10", Port(443))
NOT_TOLD = "config.feedback.enabled=false"
MIB = 1024 * 1024


def test_it_is_off_unless_it_is_asked_for(helm_charts: Charts) -> None:
    """
    As installed nothing of it is rendered; switched off, what is rendered of the service is what is rendered with it.
    """
    assert helm_charts.of("people", "minimal") == {}
    assert helm_charts.of("service", "people", "people.enabled=false") == helm_charts.of("service", "people")
    assert helm_charts.of("people", "people", "people.enabled=false") == {}


def test_kubernetes_would_take_it(helm_charts: Charts) -> None:
    """
    Each manifest fits Kubernetes' own schema, once of each kind.
    """
    found = helm_charts.of("people", "people")

    for kind in KINDS - {"ServiceMonitor"}:
        kubernetes_validate.validate(found[kind], KUBERNETES, strict=True)

    assert set(found) == KINDS
    assert {each["metadata"]["name"] for each in found.values()} == {"r-moderation-consumer-people"}


def test_what_selects_the_services_pods_selects_none_of_its_pods(helm_charts: Charts) -> None:
    """
    Nor the other way about: two deployments that select each other's pods remove them.
    """
    parts = {part: helm_charts.of(part, "people") for part in ("service", "people")}
    labels = {part: found["Deployment"]["spec"]["template"]["metadata"]["labels"] for part, found in parts.items()}

    for part, found in parts.items():
        for selector in selectors(found):
            assert [name for name, each in labels.items() if selector.items() <= each.items()] == [part]
        monitored = found["ServiceMonitor"]["spec"]["selector"]["matchLabels"].items()
        services = {name: other["Service"]["metadata"]["labels"] for name, other in parts.items()}
        assert [name for name, each in services.items() if monitored <= each.items()] == [part]


def selectors(found: dict[str, Any]) -> list[dict[str, str]]:
    """Everything by which pods of a part are selected."""
    workload = found["Deployment"]["spec"]
    return [
        workload["selector"]["matchLabels"],
        found["Service"]["spec"]["selector"],
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        *(each["labelSelector"]["matchLabels"] for each in workload["template"]["spec"]["topologySpreadConstraints"]),
    ]


def test_a_release_with_the_longest_name_has_names_that_differ(helm_charts: Charts) -> None:
    """
    63 characters are all that Kubernetes allows; the part's name is cut before its ending.
    """
    full = "fullnameOverride=" + '"' + "n" * 63 + '"'
    own = "nameOverride=" + '"' + "m" * 63 + '"'

    names = [helm_charts.one("Deployment", "people", full, own, part=part) for part in ("service", "people")]

    assert [len(each["metadata"]["name"]) for each in names] == [63, 63]
    assert names[0]["metadata"]["name"] != names[1]["metadata"]["name"]
    assert names[0]["spec"]["selector"] != names[1]["spec"]["selector"]
    assert all(len(value) <= 63 for each in names for value in each["metadata"]["labels"].values())


def test_its_pods_are_as_the_services_but_for_what_they_run(helm_charts: Charts) -> None:
    """
    The same image, configuration, secrets, account of the cluster and probes; as little may be done.
    """
    service, people = (deepcopy(helm_charts.pod("people", part=part)["spec"]) for part in ("service", "people"))
    [serving], [taking] = service.pop("containers"), people.pop("containers")
    for each in (service, people):
        del each["topologySpreadConstraints"]

    assert taking.pop("args") == ["feedback", "--config", "/etc/moderation-consumer/consumer.yaml"]
    assert serving.pop("args")[0] == "run"
    assert taking.pop("resources") != serving.pop("resources")
    assert taking == serving
    assert people == service


@pytest.mark.parametrize("folder", [None, "/run/secrets/account-key"])
def test_the_accounts_key_is_there_only_where_the_provider_is_told(helm_charts: Charts, folder: str | None) -> None:
    """
    Neither as variables nor as files, and no proxy's password, where it makes no call to the provider.
    """
    values = ['providerProxy.existingSecret="way-out"', *([f'config.provider.key_files="{folder}"'] if folder else [])]

    told = str(helm_charts.pod("people", *values, part="people"))
    not_told = str(helm_charts.pod("people", *values, NOT_TOLD, part="people"))

    assert "provider-account" in told
    assert "way-out" in told
    assert "provider-account" not in not_told
    assert "way-out" not in not_told
    assert "moderation-identity" in not_told


def test_its_pods_reach_the_provider_only_where_it_is_told(helm_charts: Charts) -> None:
    """
    Brokers they reach anyway, metadata services never; probes and Prometheus reach them.
    """
    told, not_told = (
        Connections(helm_charts.one("NetworkPolicy", "people", *values, part="people")["spec"])
        for values in ([], [NOT_TOLD])
    )

    assert told.may_call(*PROVIDER)
    assert not not_told.may_call(*PROVIDER)
    for policy in (told, not_told):
        assert policy.may_call("10.1.0.7", Port(9092))
        assert policy.may_be_called("10.9.9.9", PROBES)
        assert policy.may_be_called(PROMETHEUS, Port(9464, name="metrics"))
        assert not any(policy.may_call(address, Port(each)) for address in METADATA for each in (80, 443, 9092))


@pytest.mark.parametrize(
    ("values", "mebibytes"),
    [
        ([], 256 + 500_000 * 512 / MIB + 100_000 * 1024 / MIB),
        ([NOT_TOLD], 256 + 500_000 * 512 / MIB),
        ([NOT_TOLD, "config.reviews=null"], 256 + 1_000_000 * 512 / MIB),
        (["config.feedback.most=1000"], 256 + 500_000 * 512 / MIB + 1_000 * 1024 / MIB),
    ],
)
def test_the_limit_of_memory_grows_with_what_is_remembered(
    helm_charts: Charts, values: list[str], mebibytes: float
) -> None:
    """
    By decisions, and by votes where they are counted.
    """
    resources = helm_charts.container("people", *values, part="people")["resources"]

    assert int(resources["limits"]["memory"]) == mebibytes * MIB
    assert resources["requests"]["memory"] == "256Mi"


def test_its_pods_are_replaced_when_the_configuration_changes_but_not_for_a_policy(helm_charts: Charts) -> None:
    """
    It needs no policy.
    """
    before, config, policy = (
        helm_charts.pod("people", *values, part="people")["metadata"]["annotations"]
        for values in ([], ["config.quota.jitter=0.05"], ["policy.strict_recall=true"])
    )

    assert config != before
    assert policy == before


def test_what_the_chart_reads_for_it_cannot_be_overridden_unseen(helm_charts: Charts) -> None:
    """
    A variable that switches feedback on would find neither key nor provider; both names are said.
    """
    variable = 'extraEnv=[{"name": "MODERATION__FEEDBACK__ENABLED", "value": "true"}]'

    with pytest.raises(Refused, match=r"MODERATION__FEEDBACK__ENABLED overrides config\.feedback\.enabled"):
        helm_charts.render("people", variable)
