"""
What people and the account's libraries say of images in the 1.0 API, through the official SDK, unmodified.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.emulator.rules import Rule
from consumer.emulator.scan import calls
from tests.emulator.asking import ask as ask_2_0
from tests.emulator.asking import oss
from tests.emulator.scan.asking import ask, said, tasks
from tests.emulator.scan.drawing import drawing, file_of
from tests.rig.pictures import picture

RULES = (
    Rule.model_validate(
        {
            "match": {"object": "words.png"},
            "labels": [{"label": "nonLabel", "risk_level": "none"}],
            "ext": {"TextInImage": {"OcrResult": [{"Text": "Best CASINO here"}]}},
        }
    ),
)
SETTINGS = EmulatorSettings(
    rules=RULES,
    oss={
        "ugc": {
            "shown.jpg": file_of(drawing(1)),
            "smaller.jpg": file_of(drawing(1).resize((200, 200)), quality=60),
            "another.jpg": file_of(drawing(2)),
            "words.png": picture("white"),
            "broken.png": b"no image",
        }
    },
)
SHOWN, SMALLER, ANOTHER = (f"oss://ugc/{name}.jpg" for name in ("shown", "smaller", "another"))


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """An account with a bucket of images, all of them harmless."""
    async with running(SETTINGS) as emulator:
        yield emulator


async def scanned(emulator: Emulator, *urls: str, **more: Any) -> list[str]:
    """Each image's suggestions in the scenes porn, terrorism and ad."""
    answered = await ask(emulator.endpoint, "scan", tasks(*urls, scenes=("porn", "terrorism", "ad"), **more))
    return [" ".join(said(each).values()) for each in answered["data"]]


async def told(emulator: Emulator, suggestion: str, *scenes: str, url: str = SHOWN) -> int:
    """The code of a feedback."""
    content = {"suggestion": suggestion, "scenes": list(scenes), "url": url}
    code: int = (await ask(emulator.endpoint, "feedback", content))["code"]
    return code


async def test_feedback_holds_for_similar_images_in_its_scenes(emulator: Emulator) -> None:
    """
    A smaller copy of worse quality is similar, another picture is not.
    """
    before = await scanned(emulator, SHOWN, SMALLER, ANOTHER)
    code = await told(emulator, "block", "ad", "terrorism")
    after = await scanned(emulator, SHOWN, SMALLER, ANOTHER)

    assert before == ["pass pass pass"] * 3
    assert code == 200
    assert after == ["pass block block", "pass block block", "pass pass pass"]


async def test_the_last_feedback_wins(emulator: Emulator) -> None:
    """
    People may change their minds, scene by scene.
    """
    await told(emulator, "block", "ad", "terrorism")
    await told(emulator, "pass", "ad")

    assert await scanned(emulator, SMALLER) == ["pass block pass"]


async def test_feedback_changes_nothing_in_2_0(emulator: Emulator, http: aiohttp.ClientSession) -> None:
    """
    Whether the vendor's goes by it is not established.
    """
    await told(emulator, "block", "terrorism")
    answered = await ask_2_0(http, emulator.endpoint, **oss("shown.jpg", "ugc"))

    assert answered.json["Data"]["RiskLevel"] == "none"


async def test_feedback_costs_nothing_and_has_a_quota_of_its_own() -> None:
    """
    It counts calls, and refuses more with the code of the quota.
    """
    async with running(SETTINGS.model_copy(update={"feedback_qps": 1})) as emulator:
        codes = await asyncio.gather(told(emulator, "block", "ad"), told(emulator, "block", "ad"))
        stats = emulator.stats()

    assert sorted(codes) == [200, 588]
    assert (stats["billed"], stats["scan"]["images"], len(emulator.feedback)) == (0, 0, 1)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"suggestion": "block", "scenes": ["ad"], "url": "oss://ugc/broken.png"}, 590),
        ({"suggestion": "block", "scenes": ["ad"], "url": "oss://ugc/gone.png"}, 404),
        ({"suggestion": "review", "scenes": ["ad"], "url": SHOWN}, 400),
        ({"suggestion": ["block"], "scenes": ["ad"], "url": SHOWN}, 400),
        ({"suggestion": "block", "scenes": ["logo"], "url": SHOWN}, 400),
        ({"suggestion": "block", "url": SHOWN}, 400),
        ({"suggestion": "block", "scenes": ["ad"]}, 400),
        ({"suggestion": "block", "scenes": ["ad"], "url": "ftp://a/b"}, 400),
        ({"suggestion": "block", "scenes": ["ad"], "taskId": "img1"}, 200),
    ],
)
async def test_what_is_said_must_be_about_an_image(content: dict[str, Any], code: int, emulator: Emulator) -> None:
    """
    A task's id alone is accepted and changes nothing: the library of feedback takes images by URL.
    """
    answered = await ask(emulator.endpoint, "feedback", content)

    assert answered["code"] == code
    assert len(emulator.feedback) == 0


async def test_without_its_extra_feedback_says_what_to_install(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It would have no effect, and that is not passed over in silence.
    """
    monkeypatch.setattr(calls, "is_available", lambda: False)
    answered = await ask(emulator.endpoint, "feedback", {"suggestion": "block", "scenes": ["ad"], "url": SHOWN})

    assert answered["code"] == 401
    assert "pip install 'moderation-consumer[emulator]'" in answered["msg"]


async def test_an_image_library_says_what_its_samples_are(emulator: Emulator) -> None:
    """
    In its scene, for its business scenario, and for similar images; it comes before feedback.
    """
    library = emulator.libraries.create(
        "image", {"name": "n", "category": "REVIEW", "scene": "ILLEGAL", "biz_types": ("avatars",)}
    )
    item = emulator.libraries.add(library, SHOWN)
    emulator.libraries.add(library, "oss://ugc/gone.png")
    await told(emulator, "block", "terrorism")

    assert await scanned(emulator, SMALLER, ANOTHER, bizType="avatars") == ["pass review pass", "pass pass pass"]
    assert await scanned(emulator, SMALLER) == ["pass block pass"]
    assert item is not None
    assert item.hits == 1


async def test_a_white_library_lets_pass_what_a_rule_or_people_block(emulator: Emulator) -> None:
    """
    In its scene alone.
    """
    library = emulator.libraries.create("image", {"name": "n", "category": "WHITE", "scene": "AD"})
    emulator.libraries.add(library, SHOWN)
    await told(emulator, "block", "ad", "terrorism")

    assert await scanned(emulator, SHOWN) == ["pass block pass"]


@pytest.mark.parametrize(
    ("resource", "mode", "ad"),
    [("IMAGE", "fuzzy", "block"), ("IMAGE", "precise", "pass"), ("TEXT", "fuzzy", "pass"), ("VOICE", "fuzzy", "pass")],
)
async def test_a_keyword_library_reads_the_text_in_an_image(
    resource: str, mode: str, ad: str, emulator: Emulator
) -> None:
    """
    The lines that the rule says are in it. Keywords for text and voice say nothing of images.
    """
    values = {"name": "n", "category": "BLACK", "resource_type": resource, "lib_type": "textKeyword"}
    library = emulator.libraries.create("keyword", {**values, "match_mode": mode})
    emulator.libraries.add(library, "casino")

    assert await scanned(emulator, "oss://ugc/words.png") == [f"pass pass {ad}"]
