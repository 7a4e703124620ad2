"""The chart as its tests see it: rendered by a real helm, read back as manifests."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "moderation-consumer"
SCENARIOS = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))}
KUBERNETES = "1.35.0"
"""The version that is rendered for: a helm built by `go install` believes in 1.20."""

Manifest = dict[str, Any]


class Refused(Exception):
    """Helm would not render; the message is its own."""


@dataclass(frozen=True, slots=True)
class Charts:
    """Renders the chart with values."""

    helm: str
    rendered: dict[tuple[str, ...], list[Manifest]] = field(default_factory=dict)

    def lint(self, scenario: str) -> str:
        """What `helm lint --strict` says. Raises `Refused` where it fails."""
        return self._run("lint", "--strict", str(CHART), "--values", str(SCENARIOS[scenario]))

    def render(self, scenario: str, *sets: str) -> list[Manifest]:
        """
        The manifests of a scenario with values set as by `--set-json`, such as `kind="StatefulSet"`.

        Raises: Refused, where the values are.
        """
        key = (scenario, *sets)
        if key not in self.rendered:
            options = [option for each in sets for option in ("--set-json", each)]
            text = self._run("template", "r", str(CHART), "--values", str(SCENARIOS[scenario]), *options)
            self.rendered[key] = [manifest for manifest in yaml.safe_load_all(text) if manifest]
        return self.rendered[key]

    def of(self, part: str, scenario: str, *sets: str) -> dict[str, Manifest]:
        """The manifests of a part by their kinds: `service`, `callback` (its service for them) or `people`."""
        found = [each for each in self.render(scenario, *sets) if part_of(each) == part]
        kinds = {each["kind"]: each for each in found}
        assert len(kinds) == len(found)
        return kinds

    def one(self, kind: str, scenario: str, *sets: str, part: str = "service") -> Manifest:
        """The only manifest of its kind in a part."""
        return self.of(part, scenario, *sets)[kind]

    def pod(self, scenario: str, *sets: str, part: str = "service") -> Manifest:
        """The pod's template."""
        found = self.of(part, scenario, *sets)
        template: Manifest = (found.get("Deployment") or found["StatefulSet"])["spec"]["template"]
        return template

    def container(self, scenario: str, *sets: str, part: str = "service") -> Manifest:
        """The only container."""
        (container,) = self.pod(scenario, *sets, part=part)["spec"]["containers"]
        assert isinstance(container, dict)
        return container

    def _run(self, *arguments: str) -> str:
        command = [self.helm, *arguments, "--kube-version", KUBERNETES]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr + done.stdout)
        return done.stdout


def part_of(manifest: Manifest) -> str:
    """Which part a manifest is of."""
    return str(manifest["metadata"]["labels"].get("app.kubernetes.io/component", "service"))
