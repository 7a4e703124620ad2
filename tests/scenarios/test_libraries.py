"""Libraries that `moderation-consumer libraries apply` has made, and what the 1.0 API says of images from then on."""

from pathlib import Path
from typing import Any

import pytest

from consumer.emulator import EmulatorSettings, running
from consumer.emulator.rules import Rule
from tests.commands.cli import command
from tests.emulator.imagehost import ImageHost, serving
from tests.emulator.scan.drawing import drawing, file_of
from tests.rig.emulated import KEY
from tests.rig.events import upload
from tests.rig.kafka import NewRecord, publish
from tests.rig.outcomes import DECISIONS
from tests.rig.pictures import picture
from tests.rig.replica import Replica
from tests.rig.stage import Stage

LIBRARIES = """
image_libraries:
  - {name: known, category: BLACK, scene: PORN}
keyword_libraries:
  - {name: gambling, category: BLACK, resource_type: IMAGE, lib_type: textKeyword, keywords: [casino]}
"""
SAYS_CASINO = {
    "match": {"average_colour": "red"},
    "labels": [{"label": "nonLabel", "risk_level": "none"}],
    "ext": {"TextInImage": {"OcrResult": [{"Text": "The CASINO is open"}]}},
}
FILES = {
    "/sample.png": file_of(drawing(1)),
    "/casino.png": picture("red"),
    "/similar.png": file_of(drawing(1).resize((200, 200)), quality=60),
    "/another.png": file_of(drawing(2)),
}
UPLOADED = ("casino", "similar", "another")
SETTINGS = EmulatorSettings(
    rules=(Rule.model_validate(SAYS_CASINO),), qps=1_000, scan_images=1_000, library_qps=100
)  # fmt: skip


def config(stage: Stage, endpoint: str, host: ImageHost) -> dict[str, Any]:
    settings = stage.config(endpoint, oss={"buckets": []}, quota={"qps": 50})
    settings["provider"]["api"] = "scan-1.0"
    settings["bindings"] = [{"bucket": "ugc", "via": "url", "url": f"{host.url}/{{key}}"}]
    return settings


async def decided(stage: Stage, time: str, already: int) -> dict[str, tuple[str, list[str]]]:
    """Upload all images; each one's decision, and what was found that blocks."""
    images = {name: {"id": "0", "ref": {"store": "s3", "bucket": "ugc", "key": f"{name}.png"}} for name in UPLOADED}
    records = [
        NewRecord(upload(f"{time}-{name}", images=[image]), key=f"shop-eu|{time}-{name}".encode())
        for name, image in images.items()
    ]
    await publish(stage.kafka.bootstrap_servers, stage.uploads, records)
    await stage.until(lambda ids: len(ids) == already + len(UPLOADED))
    outcomes = await stage.outcomes()
    return {
        verdict["image"]["ref"]["key"].removesuffix(".png"): (
            decision,
            [found["label"] for found in verdict["findings"] if found["level"] == "high"],
        )
        for decision in DECISIONS
        for verdict in outcomes[decision]
        if verdict["event"]["id"].startswith(time)
    }


@pytest.mark.scenario
async def test_a_library_made_by_apply_blocks_what_comes_from_then_on(stage: Stage, tmp_path: Path) -> None:
    """
    Images that passed are blocked once there is a library: of a keyword that is read in the image, and of a sample
    that it resembles, which is put in by the console as its page says. What is in neither passes as before.
    """
    file = tmp_path / "libraries.yaml"
    file.write_text(LIBRARIES)
    async with (
        serving(FILES) as host,
        running(SETTINGS) as emulator,
        Replica.started(tmp_path, config(stage, emulator.url, host), environment=KEY),
    ):
        before = await decided(stage, "before", 0)
        applied = await command("libraries", "apply", str(file), "--endpoint", emulator.url, environment=KEY)
        [known] = emulator.libraries.of("image")
        emulator.libraries.add(known, f"{host.url}/sample.png")
        after = await decided(stage, "after", len(UPLOADED))

    assert applied.status == 0, applied.errors
    assert before == dict.fromkeys(UPLOADED, ("pass", []))
    assert after == {
        "casino": ("block", ["v1:ad:ad"]), "similar": ("block", ["v1:porn:porn"]), "another": ("pass", []),
    }  # fmt: skip
