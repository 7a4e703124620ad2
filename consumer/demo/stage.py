"""Everything the demo runs: the stand-ins for what the service talks to, and the service."""

import math
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from consumer.config import Config
from consumer.config.bindings import Binding
from consumer.config.stores import StoreSettings
from consumer.demo import DemoOptions
from consumer.demo.bucket_server import PrivateBucket, new_key, serving_bucket, write_key_files
from consumer.demo.comparison import Charges
from consumer.demo.image_server import serving_images
from consumer.demo.images import draw_images
from consumer.demo.inputs import Inputs, publishing
from consumer.demo.messages import (
    CEPH_BUCKET,
    MINIO_BUCKET,
    OBJECTS,
    OSS_BUCKET,
    PRIVATE_BUCKET,
    PRIVATE_OBJECTS,
    S3_BUCKET,
    Site,
)
from consumer.demo.outputs import Outputs, reading
from consumer.demo.process import ServiceProcess, running_service
from consumer.demo.rules import RULES
from consumer.emulator import Emulator, EmulatorSettings, running
from consumer.emulator.broker import EmbeddedBroker
from consumer.vendor_facts.aliyun import KEY_ID, KEY_SECRET

CDN: Final = "http://cdn.example.com"
"""Where the configuration has its images; the image server is put in its place."""
MINIO: Final = "https://minio.example.com"
"""Where the configuration has its private bucket; the demo's server of one is put in its place."""

LATENCY: Final = (0.05, 0.4)
"""Seconds that the emulated provider takes for an image, evenly drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs, each part with its address."""

    broker: EmbeddedBroker
    site: Site
    bucket: str
    """Base URL of the private bucket's server."""
    emulator: Emulator
    inputs: Inputs
    outputs: Outputs
    service: ServiceProcess


def charges(emulator: Emulator) -> Charges:
    """Take what matters here from the emulated provider's totals."""
    stats: dict[str, Any] = dict(emulator.stats())
    return Charges(
        calls=stats["metered"],
        last_second=stats["last_second"],
        busiest_second=stats["busiest_second"],
        refused=stats["by_code"].get("403", 0),
        billed=stats["billed"],
        uploaded=stats["by_code"].get("Stored", 0),
    )


def billed_calls(emulator: Emulator) -> tuple[Counter[str], dict[str, float]]:
    """Tell by `dataId` how many calls were billed, and when the first of them arrived, in unix seconds."""
    times, arrivals = Counter[str](), dict[str, float]()
    for call in emulator.calls:
        if call.billed and call.data_id:
            times[call.data_id] += 1
            arrivals.setdefault(call.data_id, call.arrival)
    return times, arrivals


@asynccontextmanager
async def open_stage(options: DemoOptions, config: Config, folder: Path) -> AsyncIterator[Stage]:
    """
    Run everything until the context ends; the service logs to `folder`.

    Top to bottom is the start order; closing runs bottom to top, so the service ends before what it needs.
    """
    files = draw_images()
    objects = {key: files[name] for key, name in OBJECTS.items()}
    private = {key: files[name] for key, name in PRIVATE_OBJECTS.items()}
    public = {
        f"{bucket}/{key}": file for bucket in (S3_BUCKET, MINIO_BUCKET, CEPH_BUCKET) for key, file in objects.items()
    }
    key = new_key()
    key_files = write_key_files(key, folder / "key-of-the-private-bucket")
    settings = EmulatorSettings(
        qps=options.qps,
        latency=LATENCY,
        rules=RULES,
        oss={OSS_BUCKET: objects},
    )
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(EmbeddedBroker())
        site = Site(await stack.enter_async_context(serving_images({**files, **public})), files)
        bucket = await stack.enter_async_context(serving_bucket(PrivateBucket(PRIVATE_BUCKET, private, key)))
        emulator = await stack.enter_async_context(running(settings))
        inputs = await stack.enter_async_context(publishing(broker.bootstrap_servers, config.kafka.topics))
        outputs = await stack.enter_async_context(reading(broker.bootstrap_servers, config.kafka.outputs))
        service = await stack.enter_async_context(
            running_service(
                options.config,
                overrides=(
                    f"kafka.bootstrap_servers={broker.bootstrap_servers}",
                    f"provider.endpoint={emulator.url}",
                    "provider.proxy=none",  # all of it is on this machine
                    f"provider.max_in_flight={max(config.provider.max_in_flight, _enough_in_flight(options.qps))}",
                    f"quota.qps={options.qps}",
                    f"bindings={_bindings(config.bindings, site.url)}",
                    *_stores(config.stores, bucket, key_files),
                ),
                credentials={
                    KEY_ID: settings.access_key_id,
                    KEY_SECRET: settings.access_key_secret.get_secret_value(),
                },
                log=folder / "service.log",
            )
        )
        yield Stage(
            broker=broker,
            site=site,
            bucket=bucket,
            emulator=emulator,
            inputs=inputs,
            outputs=outputs,
            service=service,
        )


def _bindings(bindings: Iterable[Binding], images: str) -> str:
    """Write bindings as a setting, with the server of images where `CDN` was."""
    moved = [each.model_copy(update={"url": each.url.replace(CDN, images)}) if each.url else each for each in bindings]
    return orjson.dumps([each.model_dump(mode="json") for each in moved]).decode()


def _stores(stores: Mapping[str, StoreSettings], bucket: str, key_files: Path) -> Iterator[str]:
    """Write as settings where the private bucket is, and where its key."""
    for name, store in stores.items():
        if store.endpoint == MINIO:
            yield f"stores.{name}.endpoint={bucket}"
            yield f"stores.{name}.key_files={key_files}"


def _enough_in_flight(qps: int) -> int:
    """Calls at once that let the quota, not their number, be the limit."""
    return math.ceil(1.5 * qps * LATENCY[1])
