"""
The table of what may go where in the chart's README, worked out from rendered network policies.

    python -m tests.helm.reach     writes it
"""

from dataclasses import dataclass

from tests.helm.chart import Charts
from tests.helm.connections import Connections, Peer, Pod, Port
from tests.helm.readme import README, between
from tests.rig.go_tools import HELM

BEGIN, END = "<!-- connections -->\n", "<!-- end of connections -->\n"
COLUMNS = {"as installed": "minimal", "`ci/network-policy-values.yaml`": "network-policy"}
"""Scenarios by their headings."""

PROBES, METRICS = Port(8080, name="health"), Port(9464, name="metrics")
HTTP, HTTPS = Port(80), Port(443)
KUBE_DNS = Pod("kube-system", {"k8s-app": "kube-dns"})
PROMETHEUS = Pod("monitoring", {"app.kubernetes.io/name": "prometheus"})
STRANGER = Pod("elsewhere", {"app": "stranger"})
METADATA = ("169.254.169.254", "100.100.100.200", "fd00:ec2::254")


@dataclass(frozen=True, slots=True)
class Row:
    """Connections that are all allowed or all refused, and what they are called."""

    name: str
    connections: tuple[tuple[Peer, Port], ...]
    comes_in: bool = False

    def verdict(self, policy: Connections) -> str:
        """What a policy says of them: yes, no, or `mixed`, which no policy should."""
        asked = policy.may_be_called if self.comes_in else policy.may_call
        answers = {asked(peer, port) for peer, port in self.connections}
        return "mixed" if len(answers) > 1 else "yes" if answers.pop() else "no"


ROWS = (
    Row("from any pod or address to `/livez`, `/readyz`", ((STRANGER, PROBES), ("10.9.9.9", PROBES)), comes_in=True),
    Row("from Prometheus (`metricsFrom`) to `/metrics`, `/offsets`", ((PROMETHEUS, METRICS),), comes_in=True),
    Row(
        "from another pod or address to `/metrics`, `/offsets`",
        ((STRANGER, METRICS), (Pod("monitoring"), METRICS), (Pod("default"), METRICS), ("10.9.9.9", METRICS)),
        comes_in=True,
    ),
    Row("from any pod to another port", ((STRANGER, Port(22)), (PROMETHEUS, Port(22))), comes_in=True),
    Row("to the cluster's DNS (`dns`)", ((KUBE_DNS, Port(53, "UDP")), (KUBE_DNS, Port(53)))),
    Row("to another name server", ((STRANGER, Port(53, "UDP")), ("8.8.8.8", Port(53, "UDP")), ("10.1.0.7", Port(53)))),
    Row(
        "to brokers (`brokers`), on the ports of bootstrap and `brokerPorts`",
        tuple((broker, Port(port)) for broker in (Pod("kafka"), "10.1.0.7") for port in (9092, 9094)),
    ),
    Row("to brokers on another port", ((Pod("kafka"), Port(9999)), ("10.1.0.7", HTTPS))),
    Row("to the provider (`provider`), port 443", (("203.0.113.10", HTTPS),)),
    Row("to the provider on another port", (("203.0.113.10", HTTP), ("203.0.113.10", Port(8443)))),
    Row("to what is added (`extraEgress`)", (("100.64.0.9", Port(4318)),)),
    Row("to another pod, or another address of the cluster", ((STRANGER, HTTPS), ("10.2.0.7", HTTPS))),
    Row(
        "to the metadata services " + ", ".join(f"`{each}`" for each in METADATA) + ", on any port",
        tuple(
            (address, Port(port, protocol))
            for address in METADATA
            for port in (53, 80, 443, 4318, 9092, 9094)
            for protocol in ("TCP", "UDP")
        ),
    ),
)


def policy_of(charts: Charts, scenario: str, *sets: str) -> Connections:
    """The rendered policy of a scenario."""
    return Connections(charts.one("NetworkPolicy", scenario, *sets)["spec"])


def table(charts: Charts) -> str:
    """A line for each kind of connection, a column for each scenario."""
    policies = [policy_of(charts, scenario) for scenario in COLUMNS.values()]
    rows = [f"| {row.name} | {' | '.join(row.verdict(policy) for policy in policies)} |" for row in ROWS]
    return "\n".join([f"| | {' | '.join(COLUMNS)} |", "|---|" + "---|" * len(COLUMNS), *rows, ""])


if __name__ == "__main__":
    README.write_text(between(README.read_text(), BEGIN, table(Charts(HELM.command())), END))
