"""
Which connections a rendered network policy allows, by what Kubernetes says that a policy means.

No network plugin is asked. Plugins differ in what the documentation leaves open: here an address never counts as a pod,
nor a pod as an address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Pod:
    """Another pod, by what selectors see of it."""

    namespace: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def namespace_labels(self) -> Mapping[str, str]:
        """Those that Kubernetes gives every namespace."""
        return {"kubernetes.io/metadata.name": self.namespace}


@dataclass(frozen=True, slots=True)
class Port:
    """A port by its number; by its name too, where it is one of the policy's own pods'."""

    number: int
    protocol: str = "TCP"
    name: str = ""


Peer = Pod | str
"""A pod, or an address that is no pod's."""


@dataclass(frozen=True, slots=True)
class Connections:
    """What a NetworkPolicy's spec allows its pods, which are in `namespace` and selected by no other policy."""

    spec: Mapping[str, Any]
    namespace: str = "default"

    def may_call(self, peer: Peer, port: Port) -> bool:
        """Whether the pods may open a connection to a peer's port."""
        return self._allowed("Egress", "egress", "to", peer, port)

    def may_be_called(self, peer: Peer, port: Port) -> bool:
        """Whether a peer may open a connection to the pods' port."""
        return self._allowed("Ingress", "ingress", "from", peer, port)

    def blocks(self) -> list[tuple[Network, list[Network]]]:
        """Every network that a rule names, with its exceptions."""
        return [
            (ip_network(block["cidr"], strict=False), [ip_network(each) for each in block.get("except", [])])
            for rules, peers in (("egress", "to"), ("ingress", "from"))
            for rule in self.spec.get(rules, [])
            for peer in rule.get(peers, [])
            if (block := peer.get("ipBlock"))
        ]

    def _allowed(self, policy_type: str, rules: str, peers: str, peer: Peer, port: Port) -> bool:
        if policy_type not in self.spec["policyTypes"]:
            return True
        # Rules add up. One without peers is for all of them, and so with ports.
        return any(
            (not rule.get(peers) or any(self._is_meant(each, peer) for each in rule[peers]))
            and (not rule.get("ports") or any(_is_port(each, port) for each in rule["ports"]))
            for rule in self.spec.get(rules, [])
        )

    def _is_meant(self, given: Mapping[str, Any], peer: Peer) -> bool:
        if "ipBlock" in given:
            return isinstance(peer, str) and _is_in(given["ipBlock"], peer)
        if isinstance(peer, str):
            return False
        in_namespace = (
            _selects(given["namespaceSelector"], peer.namespace_labels)
            if "namespaceSelector" in given
            else peer.namespace == self.namespace
        )
        return in_namespace and _selects(given.get("podSelector", {}), peer.labels)


def _is_in(block: Mapping[str, Any], address: str) -> bool:
    """Whether an address is in an ipBlock and in none of its exceptions."""
    one = ip_address(address)
    return one in ip_network(block["cidr"], strict=False) and not any(
        one in ip_network(each) for each in block.get("except", [])
    )


def _is_port(given: Mapping[str, Any], port: Port) -> bool:
    """Whether a rule's port, which may be a name or a range or absent, is this one."""
    if given.get("protocol", "TCP") != port.protocol:
        return False
    first = given.get("port")
    if isinstance(first, str):
        return first == port.name
    return first is None or first <= port.number <= given.get("endPort", first)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects; an empty one selects all. Raises NotImplementedError for expressions."""
    if "matchExpressions" in selector:
        raise NotImplementedError("matchExpressions")
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
