from pathlib import Path

from consumer.policy.schema import load_policy


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
