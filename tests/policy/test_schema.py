from pathlib import Path

import pytest

from consumer.errors import Misconfigured
from consumer.policy.schema import load_policy
from consumer.vendor_facts.scan import ONLY_SERVICE


def digest(folder: Path, text: str) -> str:
    """Of the policy that stands in a file."""
    file = folder / "policy.yaml"
    file.write_text(text)
    return load_policy(file).sha256


def test_a_digest_names_what_a_policy_says_and_not_how_it_is_written(tmp_path: Path) -> None:
    """
    By it people find the verdicts of one policy: neither a comment nor a default that is spelt out is another one.
    """
    written = digest(tmp_path, "policy: a\nversion: 1\n")

    assert digest(tmp_path, "# the same\nversion: 1\npolicy: 'a'\nroute: {high: block}\n") == written


def test_another_policy_has_another_digest(tmp_path: Path) -> None:
    """
    Whatever is another: a route, a service, their order, its version.
    """
    texts = [
        "policy: a\nversion: 1\n",
        "policy: a\nversion: 2\n",
        "policy: a\nversion: 1\nroute: {low: review}\n",
        "policy: a\nversion: 1\nservices: [x, y]\n",
        "policy: a\nversion: 1\nservices: [y, x]\n",
    ]

    assert len({digest(tmp_path, text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    ("info", "needs"),
    [
        ("[customImage, textInImage]", None),
        ("[logoData]", "logoData needs an advanced service"),
        ("[customImage, publicFigure, logoData, logoData]", "publicFigure and logoData need an advanced service"),
    ],
)
def test_what_needs_an_advanced_service_is_told_with_its_line(tmp_path: Path, info: str, needs: str | None) -> None:
    """
    Vendor: people and logos. Which services are advanced its page does not say, so the policy is taken.
    """
    file = tmp_path / "policy.yaml"
    file.write_text(f"policy: a\nversion: 1\nservices: [x, y]\ninfo: {info}\n")

    told = f"{file}:4: info: {needs} of the provider's: where x or y is none, verdicts tell nothing of them"
    assert load_policy(file).warnings == (() if needs is None else (told,))


def test_services_and_information_of_overlays_are_looked_at_where_they_stand(tmp_path: Path) -> None:
    """
    Those that a region does not have refuse the start; what an overlay does not change is told of once.
    """
    file = tmp_path / "policy.yaml"
    text = "policy: a\nversion: 1\nservices: [x]\ninfo: [logoData]\noverlays:\n  - when: {tenant: [t]}\n    "
    file.write_text(text + "strict_recall: true\n  - when: {tenant: [u]}\n    services: [y_global]\n")

    warned = load_policy(file).warnings
    with pytest.raises(Misconfigured) as refused:
        load_policy(file, ["cn-shanghai"])

    assert [each.partition(": logoData")[0] for each in warned] == [f"{file}:4: info", f"{file}:8: overlays.1.info"]
    assert refused.value.problems == (
        f"{file}:9: overlays.1.services: y_global is for regions outside of the Chinese mainland, and cn-shanghai is "
        "called",
    )


def test_a_policy_for_2_0_serves_the_1_0_api_and_says_which_rules_match_nothing_there(tmp_path: Path) -> None:
    """
    Its services and information are not asked for, in no overlay and in no region; its digest stays the same.
    """
    file = tmp_path / "policy.yaml"
    file.write_text(
        """
policy: a
version: 1
services: [x_global, y_global]
info: [customImage]
rules:
  - {id: lib, match: {library: [l-1]}, then: block}
  - {id: any, match: {label: ["v1:ad:*"]}, then: review}
overlays:
  - when: {tenant: [t]}
    services: [z_global]
    rules:
      - {id: other, match: {service: [z_global]}, then: block}
      - {id: ours, match: {service: ["scan-*"]}, then: block}
"""
    )

    policy = load_policy(file, ["cn-shanghai"], only=ONLY_SERVICE)

    assert policy.settings.all_asked == (("scan-1.0",), ())
    assert not policy.settings.asks_by_tenant
    assert policy.sha256 == load_policy(file).sha256
    assert [warning.partition(" matches nothing")[0] for warning in policy.warnings] == [
        f"{file}:7: rules.0.match:", f"{file}:13: overlays.0.rules.0.match:",
    ]  # fmt: skip
