"""docs/security.md: each line of its tables has its test."""

import re

import orjson

from consumer.alibaba.feedback import PATH as FEEDBACK
from consumer.alibaba.image_moderation import ACTION as IMAGE_MODERATION
from consumer.alibaba.scan.results import ASYNC_SCAN, RESULTS
from consumer.alibaba.scan.tasks import CREDENTIALS, SCAN
from consumer.alibaba.upload_token import ACTION as UPLOAD_TOKEN
from consumer.emulator.calls import SCAN_ACTIONS
from consumer.emulator.library_operations import OPERATIONS
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


def test_the_actions_of_the_older_service_are_those_of_its_operations() -> None:
    """
    Of every path that is called, and of every operation on libraries that the emulator answers and this service asks.
    """
    paths = [SCAN, ASYNC_SCAN, RESULTS, CREDENTIALS, FEEDBACK]
    source = (ROOT / "consumer" / "alibaba" / "libraries.py").read_text()
    asked = {name for name in OPERATIONS if f'"{name}"' in source}
    asked |= {
        f"{verb}{kind}" for verb in re.findall(r'f"([A-Z]\w+)\{_NAMES\[', source) for kind in ("ImageLib", "KeywordLib")
    }
    rows = re.search(r"^\| for \| actions of `yundun-greenweb` \|\n\|[-|]+\n((?:\|[^\n]*\n)+)", PAGE, re.MULTILINE)
    assert rows is not None

    named = [name for row in rows[1].splitlines() for name in re.findall(r"`([A-Z]\w+)`", row.split("|")[2])]

    assert sorted(named) == sorted([*(SCAN_ACTIONS[path] for path in paths), *asked])


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
