"""`scan` as an operator runs it: a folder with a configuration, an account at the emulated provider."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import yaml
from PIL import Image

from consumer.emulator import Emulator, EmulatorSettings, running
from tests.commands.cli import Ended, command
from tests.rig.emulated import KEY
from tests.rig.pictures import picture
from tests.rig.windows import busiest_window

RULES = (
    {
        "match": {"average_colour": "red"},
        "labels": [{"label": "violent_explosion", "confidence": 97.4, "risk_level": "high"}],
    },
    {
        "match": {"average_colour": "orange"},
        "labels": [{"label": "pornographic_adultContent", "confidence": 81.0, "risk_level": "medium"}],
    },
)
"""Red images are blocked, orange ones go to review, all others pass."""
POLICY = {"policy": "by-hand", "version": 1}


@dataclass(frozen=True, slots=True)
class Account:
    """Where the provider listens, and a folder that has all that a scan needs."""

    emulator: Emulator
    folder: Path
    lags: list[float]  # by which calls may be stamped late, seconds

    @property
    def images(self) -> Path:
        """A folder for images."""
        return self.folder / "images"

    def arguments(self, *arguments: object) -> list[str]:
        """A command line, with the configuration."""
        return ["scan", *map(str, arguments), "--config", str(self.folder / "consumer.yaml")]

    async def scan(
        self, *arguments: object, given: bytes = b"", environment: Mapping[str, str] = KEY
    ) -> tuple[Ended, list[dict[str, Any]]]:
        """Run a scan; return how it ended, and the JSON lines that it wrote, by their images' names."""
        ended = await command(*self.arguments(*arguments), environment=environment, given=given)
        lines = [orjson.loads(line) for line in ended.output.splitlines()] if ended.output.startswith("{") else []
        return ended, sorted(lines, key=lambda line: line.get("image", ""))

    def called(self, action: str = "ImageModeration") -> list[float]:
        """When calls of an action came, in unix seconds."""
        return [call.arrival for call in self.emulator.calls if call.action == action]

    @property
    def busiest_second(self) -> int:
        """
        Calls of the busiest second, in a window that is shorter by how late one may be stamped. See
        `tests/scenarios/test_quota.py`.
        """
        return busiest_window(self.called(), 1.0 - max(self.lags))

    @property
    def billed(self) -> int:
        """Calls that the provider charges for."""
        return sum(call.billed for call in self.emulator.calls)

    async def until_billed(self, count: int) -> None:
        """Return once so many calls are billed."""
        async with asyncio.timeout(30):
            while self.billed < count:
                await asyncio.sleep(0.01)


TURNS_TO_A_STAMP = 3  # of the event loop, from bytes that can be read to the handler's first line


@asynccontextmanager
async def account(folder: Path, config: Mapping[str, Any] | None = None, **emulator: Any) -> AsyncIterator[Account]:
    """Run an emulator by `RULES`, and write a configuration that names it."""
    settings = EmulatorSettings.model_validate({"qps": 1_000, "rules": RULES, **emulator})
    async with running(settings) as provider:
        written = dict(config or {})
        written["provider"] = {"endpoint": provider.url, **written.get("provider", {})}
        (folder / "consumer.yaml").write_text(yaml.safe_dump(written))
        (folder / "policy.yaml").write_text(yaml.safe_dump(POLICY))
        (folder / "images").mkdir(exist_ok=True)
        lags = [0.0]
        watching = asyncio.create_task(_watch_lag(lags))
        yield Account(provider, folder, lags)
        watching.cancel()


async def _watch_lag(lags: list[float]) -> None:
    """
    Note by how much the emulator may stamp a call too late.

    A call that has come is read in one turn of the loop, its handler begins in another and stamps it: each may be long.
    """
    while True:
        due = time.monotonic() + 0.005
        await asyncio.sleep(0.005)
        for _ in range(TURNS_TO_A_STAMP):
            await asyncio.sleep(0)
        lags.append(time.monotonic() - due)


def painted(folder: Path, **colours: str) -> None:
    """Write a PNG for each name, of its colour; no two of them are alike."""
    for number, (name, colour) in enumerate(colours.items(), 240):
        (folder / f"{name}.png").write_bytes(picture(colour, "PNG", (number, 240)))


def many(folder: Path, count: int) -> None:
    """Write so many blue PNGs, no two of them alike."""
    for number in range(count):
        (folder / f"{number:04}.png").write_bytes(picture("blue", "PNG", (8 + number % 50, 8 + number // 50)))


def in_all_formats(folder: Path, count: int) -> Iterator[tuple[str, str]]:
    """Write images in turn in every format that Pillow can write; yield each file's name and its format."""
    Image.init()
    formats = sorted(Image.SAVE)
    number = 0
    while number < count:
        for each in formats:
            mode = {"ICNS": "RGBA", "GIF": "P", "XBM": "1"}.get(each, "RGB")
            file = BytesIO()
            try:
                Image.new("RGB", (64, 64), (number, number, number)).convert(mode).save(file, each)
            except (OSError, ValueError, KeyError, AttributeError, TypeError, DeprecationWarning):
                continue  # needs a library that is not here, or other pixels
            name = f"{number:04}-{each.lower()}"
            (folder / name).write_bytes(file.getvalue())
            yield name, each
            number += 1
            if number == count:
                return
