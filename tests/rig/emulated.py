"""The emulated provider in scenarios: images are objects in a bucket, so that each test can break what it names."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from consumer.emulator import Emulator, EmulatorSettings, running
from tests.rig.events import upload
from tests.rig.kafka import NewRecord, publish
from tests.rig.pictures import picture
from tests.rig.stage import Stage

BUCKET = "ugc"
REGION = "ap-southeast-1"
KEY = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": EmulatorSettings().access_key_id,
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": EmulatorSettings().access_key_secret.get_secret_value(),
}


@asynccontextmanager
async def emulated(objects: Sequence[str], **settings: object) -> AsyncIterator[Emulator]:
    """Run an emulator that has a harmless image under each of some names."""
    image = picture("blue", "PNG", (8, 8))
    values = {"qps": 1_000, "latency": 0.1, "oss": {BUCKET: dict.fromkeys(objects, image)}, **settings}
    async with running(EmulatorSettings.model_validate(values)) as emulator:
        yield emulator


def event_of(number: int, name: str) -> NewRecord:
    """An upload whose one image is the object of that name."""
    image = {"id": "0", "ref": {"store": "oss", "bucket": BUCKET, "key": name, "region": REGION}}
    return NewRecord(upload(f"event-{number}", images=[image]), key=f"shop-eu|{number}".encode())


async def upload_objects(stage: Stage, names: Sequence[str]) -> None:
    """Publish an event for each name, in this order."""
    events = [event_of(number, name) for number, name in enumerate(names)]
    await publish(stage.kafka.bootstrap_servers, stage.uploads, events)
