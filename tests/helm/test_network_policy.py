"""
Who may talk to the pods and to whom they may talk, by the rendered network policies.
"""

import json
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import pytest

from tests.helm.chart import SCENARIOS, Charts, Refused
from tests.helm.connections import Connections, Port
from tests.helm.reach import BEGIN, END, METADATA, ROWS, STRANGER, policy_of, table
from tests.helm.readme import README, between

ANY_PORTS = (Port(53, "UDP"), Port(80), Port(443), Port(3128), Port(9092))
METADATA_NETWORKS = tuple(map(ip_network, METADATA))
Network = IPv4Network | IPv6Network


def closed(charts: Charts, value: str, peers: list[dict[str, Any]]) -> Connections:
    """The policy with restricted egress and these peers in one value; the others are the defaults."""
    given = {"restrictEgress": True, value: [{"to": peers}] if value == "extraEgress" else peers}
    return policy_of(charts, "minimal", f"networkPolicy={json.dumps(given)}")


def networks_around(service: Network) -> Iterator[str]:
    """For each length of prefix the network with the service in it, in two spellings, and the one beside it."""
    bits = service.max_prefixlen
    for prefix in range(bits):
        whole = service.supernet(new_prefix=prefix)
        yield f"{service.network_address}/{prefix}"
        yield whole.exploded.upper()
        if prefix:
            yield str(ip_network((int(whole.network_address) ^ 1 << bits - prefix, prefix)))


def test_the_readme_says_what_may_go_where(helm_charts: Charts) -> None:
    """
    The README's table is what `python -m tests.helm.reach` works out from the policies that helm renders.
    """
    readme = README.read_text()

    assert readme == between(readme, BEGIN, table(helm_charts), END)


def test_a_closed_policy_allows_what_the_service_needs_and_no_more(helm_charts: Charts) -> None:
    """
    Probes from everywhere, metrics for Prometheus; out go DNS, brokers, the provider and what was added.
    """
    policy = policy_of(helm_charts, "network-policy")

    assert [row.verdict(policy) for row in ROWS] == [
        "yes", "yes", "no", "no",  # in
        "yes", "no", "yes", "no", "yes", "no", "yes", "no", "no",  # out
    ]  # fmt: skip


def test_without_peers_no_pod_reads_metrics_and_pods_reach_all_but_metadata(helm_charts: Charts) -> None:
    """
    As installed only probes come in, and everything but metadata services goes out.
    """
    policy = policy_of(helm_charts, "minimal")

    assert [row.verdict(policy) for row in ROWS] == ["yes", "no", "no", "no", *["yes"] * 8, "no"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_scenario_reaches_metadata_services(helm_charts: Charts, scenario: str) -> None:
    """
    Neither where pods reach everything else, nor behind a proxy.
    """
    policy = policy_of(helm_charts, scenario)

    assert not any(policy.may_call(address, port) for address in METADATA for port in ANY_PORTS)


@pytest.mark.parametrize("value", ["dns", "brokers", "provider", "extraEgress"])
def test_no_list_of_peers_opens_metadata_services(helm_charts: Charts, value: str) -> None:
    """
    Neither one that is given with everything in it, nor an empty one, which is everywhere else.
    """
    port = {"dns": Port(53), "brokers": Port(9092), "provider": Port(443), "extraEgress": Port(7)}[value]
    everything = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]

    for peers in (everything, []):
        policy = closed(helm_charts, value, peers)

        assert policy.may_call("169.254.20.10", port)
        assert policy.may_call(STRANGER, port) is not bool(peers)
        assert not any(policy.may_call(address, each) for address in METADATA for each in (port, *ANY_PORTS))


def test_exceptions_are_where_a_metadata_service_is(helm_charts: Charts) -> None:
    """
    A network has an exception for each service in it and for no other: Kubernetes refuses exceptions beyond a network.
    """
    given = sorted({cidr for service in METADATA_NETWORKS for cidr in networks_around(service)})
    policy = closed(helm_charts, "brokers", [{"ipBlock": {"cidr": cidr}} for cidr in given])

    rendered = policy.blocks()[: len(given)]
    expected = [
        (whole, [each for each in METADATA_NETWORKS if each.version == whole.version and each.subnet_of(whole)])  # type: ignore[arg-type]
        for whole in (ip_network(cidr, strict=False) for cidr in given)
    ]

    assert len(given) > 400
    assert rendered == expected


def test_exceptions_of_ones_own_stay(helm_charts: Charts) -> None:
    """
    Beside those of metadata services, each once.
    """
    block = {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.169.254/32"]}
    policy = closed(helm_charts, "brokers", [{"ipBlock": block}])

    _, exceptions = policy.blocks()[0]

    assert list(map(str, exceptions)) == ["10.0.0.0/8", "169.254.169.254/32", "100.100.100.200/32"]


@pytest.mark.parametrize("cidr", ["169.254.169.254/32", "100.100.100.200/32", "fd00:ec2:0:0::0254/128"])
def test_a_metadata_service_as_a_peer_is_refused(helm_charts: Charts, cidr: str) -> None:
    """
    An exception would leave nothing of it.
    """
    with pytest.raises(Refused, match=f"{cidr} is a cloud's metadata service"):
        closed(helm_charts, "brokers", [{"ipBlock": {"cidr": cidr}}])


@pytest.mark.parametrize("cidr", ["1::2::3/12", "1:2:3/12"])
def test_what_is_no_network_is_refused_by_its_name(helm_charts: Charts, cidr: str) -> None:
    """
    Where the schema's pattern lets it through.
    """
    with pytest.raises(Refused, match=f"{cidr} is no CIDR"):
        closed(helm_charts, "brokers", [{"ipBlock": {"cidr": cidr}}])


def test_a_policy_can_be_left_to_others(helm_charts: Charts) -> None:
    """
    Switched off, none is rendered.
    """
    kinds = [each["kind"] for each in helm_charts.render("minimal", "networkPolicy.enabled=false")]

    assert "NetworkPolicy" not in kinds


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        ({}, True),
        ({"to": [], "ports": []}, True),
        ({"to": [{"podSelector": {}}]}, False),  # of the policy's own namespace
        ({"to": [{"namespaceSelector": {}}]}, True),
        ({"to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "other"}}}]}, False),
        ({"to": [{"namespaceSelector": {}}, {"podSelector": {"matchLabels": {"app": "other"}}}]}, True),
        ({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}, False),  # a pod is no address
        ({"ports": [{"port": 80}]}, True),
        ({"ports": [{"port": 79, "endPort": 81}]}, True),
        ({"ports": [{"port": 81}, {"protocol": "UDP"}]}, False),
    ],
)
def test_rules_mean_what_kubernetes_says(rule: dict[str, Any], allowed: bool) -> None:
    """
    Peers in a list add up, selectors in one peer narrow each other, and what is left out is everything.
    """
    policy = Connections({"policyTypes": ["Egress"], "egress": [rule]})

    assert policy.may_call(STRANGER, Port(80)) is allowed
    assert policy.may_be_called(STRANGER, Port(80))
    assert not Connections({"policyTypes": ["Egress"]}).may_call(STRANGER, Port(80))
