"""`check --canary`: each image whose answer is known, once."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from consumer.commands.check.canaries import look_at_canaries
from consumer.commands.check.findings import Finding, Level, exit_status
from consumer.commands.check.sizing import canary_calls
from consumer.config import Config
from consumer.config.credentials import load_credentials
from consumer.config.loading import load_config
from consumer.config.safety_nets import CanariesSettings
from consumer.emulator import Emulator, Fault
from consumer.errors import Misconfigured
from consumer.policy.schema import PolicySettings
from tests.rig.emulated import BUCKET, KEY, REGION, emulated
from tests.rig.pictures import picture
from tests.rig.replica import surroundings

POLICY = PolicySettings(policy="p", version=1)
RULES = [
    {"match": match, "labels": [{"label": "violent_bloody", "confidence": 95.0, "risk_level": "high"}]}
    for match in ({"object": "bad"}, {"average_colour": "red"})
]
WHERE = f"baselineCheck_global in {REGION}"


def image(name: str, expect: str, key: str | None = None, **where: Any) -> dict[str, Any]:
    place = {"object": {"bucket": BUCKET, "key": key, "region": REGION}} if key else where
    return {"name": name, "expect": expect, **place}


async def looked(emulator: Emulator, *images: dict[str, Any], **sections: Any) -> list[Finding]:
    config = Config.model_validate(
        {"provider": {"endpoint": emulator.url}, "canaries": {"images": images}, "quota": {"reserve": 20}, **sections}
    )
    credentials = load_credentials(KEY, config.provider)
    return await look_at_canaries(config, POLICY, credentials, surroundings())


def told(findings: list[Finding]) -> list[tuple[str, str, str]]:
    return [(each.level.value, each.about, each.text) for each in findings]


async def test_each_is_asked_about_once(tmp_path: Path) -> None:
    """
    By object and by file, in a lane of any name. The status is 1 where one is answered wrongly, or not at all.
    """
    (tmp_path / "red.png").write_bytes(picture("red", "PNG", (8, 8)))
    lanes = {"live": {"topics": ["uploads"]}}
    async with emulated(["good", "bad"], rules=RULES) as emulator:
        sound = await looked(
            emulator, image("blood", "flagged", "bad"), image("sky", "clean", "good"),
            image("red", "flagged", file=tmp_path / "red.png"), lanes=lanes, kafka={"topics": ["uploads"]},
        )  # fmt: skip
        wrong = await looked(emulator, image("sky", "clean", "bad"), image("gone", "clean", "missing"))
        emulator.faults.add(Fault.model_validate({"what": {"items_off": True}}))
        off = await looked(emulator, image("blood", "flagged", "bad"))
        billed = emulator.stats()["billed"]

    assert told(sound) == [
        ("ok", "canary blood", f"{WHERE} answers high, as it should"),
        ("ok", "canary sky", f"{WHERE} answers none, as it should"),
        ("ok", "canary red", f"{WHERE} answers high, as it should"),
    ]
    assert told(wrong) == [
        ("wrong", "canary sky", f"{WHERE} answers high, and it is known to be good: see your libraries"),
        ("wrong", "canary gone", f"{WHERE} does not answer: fetch 404"),
    ]
    assert off[0].text.startswith(f"{WHERE} answers none, and it is known to be bad: see which items are switched on")
    assert [exit_status(each) for each in (sound, wrong, off)] == [0, 1, 1]
    assert billed == 5


def test_what_they_cost_is_said() -> None:
    """
    By every `check`, before the bill says so.
    """
    images = [image("a", "clean", "a"), image("b", "flagged", "b")]
    two = CanariesSettings.model_validate({"images": images, "interval": 300})
    one = CanariesSettings.model_validate({"images": images[:1]})

    assert canary_calls(two, 2, 2, 1) == Finding(
        Level.OK, "canaries",
        "2 images every 300 s, by 2 services in 2 regions: 2,304 calls a day, billed; --canary asks now",
    )  # fmt: skip
    assert canary_calls(one, 1, 1, 1).text.startswith("1 image every 600 s, by 1 service in 1 region: 144 calls")
    assert "in 1 region: 144 calls a day, billed as 432 (3 scenes each);" in canary_calls(one, 1, 1, 3).text


async def test_asking_about_none_is_wrong() -> None:
    """
    Who asks for it believes that there are some.
    """
    async with emulated([]) as emulator:
        findings = await looked(emulator)

    assert told(findings) == [
        ("wrong", "canaries", "there are none: name images whose answer is known under canaries.images")
    ]


@pytest.mark.parametrize(
    ("images", "problem"),
    [
        ([image("x", "clean")], "canaries.images.0.name: needs exactly one of url, object and file; none is given"),
        (
            [image("x", "clean", url="https://a.example/x.jpg", file="x.jpg")],
            "canaries.images.0.name: needs exactly one of url, object and file; url and file are given",
        ),
        (
            [image("x", "clean", file="x.jpg"), image("x", "flagged", file="y.jpg")],
            "canaries.images.1.name: x is the name of another",
        ),
        (
            [image("x", "clean", url="ftp://a.example/x.jpg?token=secret")],
            "canaries.images.0.url: must begin with http:// or https://",
        ),
        (
            [image("x", "clean", url="https://a example/x.jpg?token=secret")],
            "canaries.images.0.url: must be of at most 2048 visible ASCII characters",
        ),
        ([image("x", "clean", url="https:///x.jpg?token=secret")], "canaries.images.0.url: must name a host"),
    ],
)
def test_what_is_wrong_is_said(images: list[dict[str, Any]], problem: str, tmp_path: Path) -> None:
    """
    With its place, and without what may be a credential.
    """
    file = tmp_path / "consumer.yaml"
    file.write_text(yaml.safe_dump({"canaries": {"images": [{**each} for each in images]}}))
    with pytest.raises(Misconfigured) as refused:
        load_config(file, {})

    assert problem in "\n".join(refused.value.problems)
    assert "secret" not in "\n".join(refused.value.problems)


def test_files_are_seen_from_the_configurations_folder(tmp_path: Path) -> None:
    """
    As all paths in it are.
    """
    file = tmp_path / "consumer.yaml"
    file.write_text("canaries: {images: [{name: a, expect: clean, file: a.jpg}]}\n")

    assert load_config(file, {}).canaries.images[0].file == tmp_path / "a.jpg"
