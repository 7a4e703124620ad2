"""docs/security.md: each line of its tables has its test."""

import re

import orjson

from consumer.alibaba.image_moderation import ACTION as IMAGE_MODERATION
from consumer.alibaba.upload_token import ACTION as UPLOAD_TOKEN
from tests.docs.named_tests import named_in
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()


def test_every_threat_has_its_test() -> None:
    """
    A line of what somebody tries ends with a test that shows what happens.
    """
    tables = re.findall(r"^\| (?:tries|secret) \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", PAGE, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()]

    assert [line for line in lines if not [*named_in(line.rsplit(" | ", 1)[-1])]] == []
    assert len(lines) >= 15


def test_links_lead_somewhere() -> None:
    """
    Within the page, to other pages, and to headings of theirs.
    """
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        path, _, anchor = link.partition("#")
        text = (ROOT / "docs" / path).read_text() if path else PAGE
        headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not anchor or anchor in anchors, link


POLICIES = re.findall(r"```json policy (ram|s3)\n(.*?)```", PAGE, re.DOTALL)


def test_policies_grant_what_the_code_does_and_nothing_else() -> None:
    """
    Each can be read as it stands, names its actions without a star, and objects by bucket and prefix.
    """
    read = [(kind, orjson.loads(text)) for kind, text in POLICIES]

    granted = []
    for kind, policy in read:
        [statement] = policy["Statement"]
        assert policy["Version"] == {"ram": "1", "s3": "2012-10-17"}[kind]
        assert statement["Effect"] == "Allow"
        granted.append((statement["Action"], statement["Resource"]))
    objects = "acs:oss:*:*:ugc-private/avatars/*"
    assert granted == [
        ([f"yundun-greenweb:{IMAGE_MODERATION}", f"yundun-greenweb:{UPLOAD_TOKEN}"], "*"),
        (["oss:GetObject"], ["acs:oss:*:*:ugc/avatars/*"]),
        (["s3:GetObject", "s3:GetObjectVersion"], "arn:aws:s3:::ugc-private/avatars/*"),
        (["oss:GetObject", "oss:GetObjectVersion"], objects),
    ]
