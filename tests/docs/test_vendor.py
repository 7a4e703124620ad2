"""docs/vendor.md: each statement has its test, and everything that the vendor's pages name has its row."""

import re
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
import orjson
import pytest

from consumer.alibaba.codes import SERVICE_CODES
from consumer.alibaba.image_moderation import request_body
from consumer.emulator import EmulatorSettings, running
from consumer.locations import ByUrl
from consumer.moderation import ModerationRequest
from consumer.vendor_facts.aliyun import OSS_ROLE
from tests.docs.named_tests import named_in
from tests.emulator.signing import signed_headers
from tests.rig.replica import ROOT

PAGE = (ROOT / "docs" / "vendor.md").read_text()
UNTESTED = {"better above 200 × 200 px"}
"""What nothing is done about."""
NAMES = {
    "The vendor's page, statement by statement": """
        ImageModeration ap-southeast-1 eu-west-1 us-east-1 us-west-1 eu-central-1 baselineCheck_global
        aigcDetector_global Service ServiceParameters imageUrl ossBucketName ossObjectName ossRegionId dataId referer
        infoType customImage textInImage publicFigure logoData RequestId Data Code Msg Result RiskLevel DataId Ext Label
        Confidence Description CustomImage TextInImage PublicFigure LogoData LibId LibName ImageId OcrResult RiskWord
        CustomText Text KeyWords FigureName FigureId Location Logo Name X Y W H nonLabel nonLabel_lib
        200 400 401 402 403 404 405 406 407 408 500
    """,
    "The vendor's pages about libraries": """
        CreateImageLib CreateKeywordLib ServiceModule open_api Name Category BLACK WHITE REVIEW Scene PORN AD ILLEGAL
        ResourceType TEXT IMAGE VOICE LibType textKeyword similarText voiceText MatchMode fuzzy precise BizTypes Enable
        code msg requestId RequestId id Id
    """,
    "The vendor's page about the 1.0 SDK": """
        ImageSyncScanRequest ImageAsyncScanRequest ImageAsyncScanResultsRequest ImageScanFeedbackRequest ClientUploader
        uploadFile uploadBytes HttpContentHelper.toValue AcsClient region_provider.modify_point set_accept_format
        set_content do_action_with_exception cn-shanghai cn-beijing cn-shenzhen ap-southeast-1 tasks dataId url scenes
        suggestion code data results scene taskId
    """,
}
"""Parameters, members, values, codes, operations and calls, by the heading of the pages that name them."""
SCENES = ("porn", "terrorism", "ad", "qrcode", "live", "logo")
"""Which that page has in words."""
DRAWN = {
    "CreateImageLib": {
        "Name": "test1sdkdk", "BizTypes": ["bizTypeA", "bizTypeB", "bizTypeC"], "Category": "BLACK",
        "ServiceModule": "open_api", "Scene": "PORN",
    },
    "CreateKeywordLib": {
        "Name": "test1sdkdk", "BizTypes": [], "Category": "BLACK", "ServiceModule": "open_api", "ResourceType": "TEXT",
        "LibType": "textKeyword",
    },
}  # fmt: skip
"""The bodies of the samples about libraries."""


def rows_of(heading: str) -> list[list[str]]:
    """The rows of a page's tables, cell by cell."""
    part = f"\n{PAGE}\n".partition(f"\n# {heading}\n")[2].partition("\n# ")[0]
    lines = [line for line in part.splitlines() if line.startswith("| ") and "the page says" not in line]
    return [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines]


@pytest.mark.parametrize("heading", NAMES)
def test_whatever_the_pages_name_has_a_row(heading: str) -> None:
    """
    Parameter by parameter, code by code, call by call.
    """
    told = [name for row in rows_of(heading) for name in re.findall(r"`([^`]+)`", row[0])]
    words = {word for name in told for word in (name, *re.split(r"[^\w.-]+", name))}

    assert [name for name in NAMES[heading].split() if name not in words] == []


def test_the_scenes_that_the_page_has_in_words_have_their_names() -> None:
    """
    All six, as they go over the wire.
    """
    [row] = [row for row in rows_of("The vendor's page about the 1.0 SDK") if row[0].startswith("`scenes`")]

    assert [scene for scene in SCENES if f"`{scene}`" not in row[1]] == []


def test_every_code_leads_where_its_row_says() -> None:
    """
    The class that is told is that of the code.
    """
    told = {
        int(row[0][1:4]): re.findall(r"class `(\w+)`", row[1])
        for row in rows_of("The vendor's page, statement by statement")
        if re.match(r"`\d{3}`: ", row[0])
    }

    assert told.pop(200) == []
    assert told == {code: [kind.kind] for code, kind in SERVICE_CODES.items()}


def test_every_example_of_an_answer_has_a_row() -> None:
    """
    Its values stand in a file.
    """
    files = {path.name for path in (ROOT / "tests" / "samples" / "responses").iterdir()}

    assert set(re.findall(r"^\| `(\w+\.json)`: ", PAGE, re.MULTILINE)) == files


def test_the_examples_request_is_what_is_sent() -> None:
    """
    Its parameters and their members, with a JSON text where it nests an object.
    """
    image = {"imageUrl": "https://img.alicdn.com/tfs/TB1U4r9AeH2gK0jSZJnXXaT1FXa-2880-480.png", "dataId": "img123"}
    asked = ModerationRequest(
        submission=image["dataId"], location=ByUrl(image["imageUrl"]), service="baselineCheck_global"
    )
    sent = dict(parse_qsl(request_body(asked).decode()))

    assert {**sent, "ServiceParameters": orjson.loads(sent["ServiceParameters"])} == {
        "Service": "baselineCheck_global",
        "ServiceParameters": image,
    }


@pytest.mark.parametrize("action", DRAWN)
async def test_the_drawn_requests_about_libraries_are_taken(action: str) -> None:
    """
    A JSON body with lists, beside an action and a module in the URL; what it leaves out has its default.
    """
    body = orjson.dumps(DRAWN[action])
    query = {"Action": action, "ServiceModule": "open_api"}
    async with running(EmulatorSettings(regions=("cn-shanghai",))) as emulator, aiohttp.ClientSession() as http:
        signed: dict[str, Any] = {"action": action, "version": "2017-08-23", "content_type": "application/json"}
        headers = signed_headers(emulator.endpoint, body, query=query, **signed)
        async with http.post(emulator.url, params=query, data=body, headers=headers) as response:
            answered = orjson.loads(await response.read())
        [library] = emulator.libraries.all()

    assert (answered["code"], answered["RequestId"]) == (200, answered["requestId"])
    assert (library.name, library.category, library.enable) == ("test1sdkdk", "BLACK", True)
    assert list(library.biz_types) == DRAWN[action]["BizTypes"]
    kind = (library.scene, library.resource_type, library.lib_type)
    assert kind == (("PORN", "", "") if action == "CreateImageLib" else ("", "TEXT", "textKeyword"))


def test_every_statement_has_its_test() -> None:
    """
    But for those that are listed here.
    """
    rows = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and "the page says" not in line]

    assert {row[0].removeprefix("| ") for row in rows if not [*named_in(row[-1])]} == UNTESTED


def test_the_runbook_says_what_the_page_advises_after_a_time_out() -> None:
    """
    OSS authorisation, what it needs, and what there is beside it.
    """
    runbook = (ROOT / "docs" / "operations.md").read_text()
    section = runbook.partition("### Images that the provider fetches")[2].partition("\n### ")[0]

    [row] = [line for line in section.splitlines() if line.startswith("| `405` of a URL")]
    assert all(each in row for each in ("OSS authorisation", "`via: oss`", "`via: upload`", "`fallback: upload`"))
    assert OSS_ROLE in section
