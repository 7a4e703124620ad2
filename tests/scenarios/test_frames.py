from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from consumer.emulator import EmulatorSettings, running
from tests.emulator.imagehost import serving
from tests.images.preparing.files import animated, endless_gif
from tests.rig.emulated import KEY
from tests.rig.kafka import publish
from tests.rig.replica import Replica
from tests.rig.stage import Stage
from tests.scenarios.test_uploading import config, event

RED = {
    "match": {"average_colour": "red"},
    "labels": [{"label": "violent_explosion", "confidence": 97.4, "risk_level": "high"}],
}
THIRD_IS_RED = animated("GIF", ("blue", "lime", "red", "cyan"), (64, 64))


def avif() -> bytes:
    file = BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "AVIF")
    return file.getvalue()


FILES = {"/third.gif": THIRD_IS_RED, "/foreign.avif": avif(), "/slow.gif": endless_gif()}


async def judged(
    stage: Stage, tmp_path: Path, images: dict[str, Any], unseen_frames: str = "pass"
) -> tuple[dict[str, dict[str, Any]], int]:
    """The verdicts on all files, by their names, and how many calls were billed."""
    async with (
        serving(FILES) as host,
        running(EmulatorSettings.model_validate({"qps": 1_000, "rules": [RED]})) as emulator,
    ):
        settings = config(stage, emulator.url, host)
        settings["images"] |= images
        (tmp_path / "policy.yaml").write_text(f"policy: frames\nversion: 1\nunseen_frames: {unseen_frames}\n")
        settings["policy"] = str(tmp_path / "policy.yaml")
        events = [event(number, name.strip("/")) for number, name in enumerate(FILES)]
        await publish(stage.kafka.bootstrap_servers, stage.uploads, events)
        async with Replica.started(tmp_path, settings, environment=KEY):
            await stage.until(lambda ids: len(ids) >= len(events))
        billed = sum(call.billed for call in emulator.calls)
    outcomes = await stage.outcomes()
    verdicts = [verdict for topic in ("pass", "review", "block") for verdict in outcomes[topic]]
    return {verdict["image"]["ref"]["key"]: verdict for verdict in verdicts}, billed


@pytest.mark.scenario
async def test_the_frame_that_matters_is_seen_and_what_hangs_ends_alone(stage: Stage, tmp_path: Path) -> None:
    """
    An animation whose third frame is what matters is blocked for it; a foreign format is converted; an image that would
    be decoded for minutes goes to review. Billed is a call for each frame that was asked about.
    """
    images = {"frames": 8, "convert": True, "worker_timeout": 2.0}

    verdicts, billed = await judged(stage, tmp_path, images)

    third, foreign, slow = (verdicts[name.strip("/")] for name in FILES)
    assert third["decision"] == "block"
    assert [reason["frame"] for reason in third["reasons"]] == [2]
    assert third["coverage"] == {"frames": [4, 4], "scaled": False}
    assert third["provider"]["billed_calls"] == 4
    assert [call["code"] for call in third["provider"]["calls"]] == ["200"] * 4
    assert foreign["decision"] == "block"
    assert foreign["coverage"] == {"frames": [1, 1], "scaled": False}
    assert (slow["decision"], slow["error"]["class"], slow["error"]["code"]) == ("review", "image", "decode_timeout")
    assert billed == 5


@pytest.mark.scenario
async def test_by_default_the_frames_that_were_not_seen_are_for_people_where_the_policy_says_so(
    stage: Stage, tmp_path: Path
) -> None:
    """
    The file goes as it is, and costs one call; formats that the provider does not take go to review without one.
    """
    verdicts, billed = await judged(stage, tmp_path, {}, unseen_frames="review")

    third, foreign, slow = (verdicts[name.strip("/")] for name in FILES)
    assert third["decision"] == "review"
    assert [reason["rule"] for reason in third["reasons"]] == ["unseen_frames"]
    assert third["coverage"] == {"frames": [1, 4], "scaled": False}
    assert slow["decision"] == "block"  # for its first frame
    assert slow["coverage"] == {"frames": [1, None], "scaled": False}
    assert foreign["error"]["code"] == "format"
    assert billed == 2
