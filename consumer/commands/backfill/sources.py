"""
Where the images are named: a manifest, a bucket's list, a topic. Each yields events, or problems in their places.
"""

import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import IO, Protocol

from consumer.clock import Clock
from consumer.commands.backfill.options import Bucket
from consumer.commands.backfill.rows import Row, rows
from consumer.commands.backfill.uploads import Making, Upload, explained
from consumer.commands.topics import Topics
from consumer.config import Config
from consumer.errors import AccountRefused, ConsumerError, Misconfigured, Undecodable
from consumer.image_sources import open_given_stores
from consumer.images.errors import NotFetched
from consumer.images.stores.listing import Listed, Page
from consumer.images.stores.reader import StoreReader
from consumer.kafka.unreadable import UnreadableRecord
from consumer.vendor_facts.stores import ADVICE, DENIED

ATTEMPTS = 5  # at a page of a list that may come the next time
FIRST_DELAY = 0.5  # seconds, doubled each time


class NotListed(ConsumerError):
    """A bucket cannot be listed."""


class Named(Protocol):
    """Something that is named: an event, and how a refusal of it is told."""

    upload: Upload

    def told(self, error: Undecodable) -> str: ...


class OfRow:
    """An event of a manifest's row."""

    def __init__(self, upload: Upload, row: Row) -> None:
        self.upload = upload
        self._row = row

    def told(self, error: Undecodable) -> str:
        return explained(error, self._row)


class Plain:
    """Any other event."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload

    def told(self, error: Undecodable) -> str:
        return f"{self.upload.where}: {error}"


class Manifest:
    """A file, of which a copy is read: another process may write to it meanwhile."""

    def __init__(self, path: Path) -> None:
        """`Misconfigured` escapes where it cannot be read."""
        self._path = path
        self._is_csv = path.suffix.lower() == ".csv"
        self._copy: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 — read later, and gone with the process
        try:
            with path.open("rb") as file:
                while piece := file.read(1 << 20):
                    self._copy.write(piece)
        except OSError as error:
            raise Misconfigured([f"--manifest: {path} cannot be read: {error.strerror}"]) from error

    async def named(self, making: Making) -> AsyncIterator[Named | str]:
        self._copy.seek(0)
        for row in rows(self._copy, str(self._path), is_csv=self._is_csv):
            yield row if isinstance(row, str) else OfRow(making.of_row(row), row)


class Listing:
    """A bucket's list. Folders that tools show, which are empty objects, are no images."""

    def __init__(self, config: Config, bucket: Bucket, environment: Mapping[str, str], clock: Clock) -> None:
        self._config = config
        self._bucket = bucket
        self._environment = environment
        self._clock = clock
        self.not_included = 0

    async def named(self, making: Making) -> AsyncIterator[Named | str]:
        """Yield them. `NotListed` escapes, and `Misconfigured` where the store's key cannot be read."""
        store, bucket, _ = self._bucket
        settings = {store: self._config.stores[store]}
        async with open_given_stores(self._config, settings, self._environment, self._clock) as reader:
            async for listed in self._listed(reader):
                place = making.bindings.find(bucket, listed.key)
                is_folder = listed.key.endswith("/") and not listed.size
                if is_folder or (place is not None and not place.includes(listed.key, None)):
                    self.not_included += 1
                else:
                    yield Plain(making.of_object(store, bucket, listed))

    async def _listed(self, reader: StoreReader) -> AsyncIterator[Listed]:
        after: str | None = None
        while True:
            page = await self._page(reader, after)
            for each in page.objects:
                yield each
            if page.after is None:
                return
            if page.after == after:
                raise NotListed(f"--bucket: {'/'.join(self._bucket)}: the store's list goes on where it was already")
            after = page.after

    async def _page(self, reader: StoreReader, after: str | None) -> Page:
        store, bucket, prefix = self._bucket
        for attempt in range(ATTEMPTS):
            try:
                return await reader.page(store, bucket, prefix, after)
            except AccountRefused as error:
                advice = ADVICE.get(error.code, error.detail)
                raise NotListed(f"--bucket: {store}/{bucket}: {error.code}: {advice}") from None
            except NotFetched as error:
                if not error.again or attempt == ATTEMPTS - 1:
                    why = ADVICE[DENIED] if error.code == "denied" else error.detail
                    raise NotListed(f"--bucket: {store}/{bucket} cannot be listed: {error.code}: {why}") from None
                await self._clock.sleep(FIRST_DELAY * 2**attempt)
        raise AssertionError("the last attempt raises")


class Copied:
    """A topic, up to where it ends now."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    async def named(self, making: Making) -> AsyncIterator[Named | str]:
        """Yield its records. `KafkaError` escapes."""
        async for records in self._topics.read(await self._topics.window(0.0)):
            for record in records:
                if isinstance(record, UnreadableRecord) and record.unreadable is not None:
                    place = f"{record.topic}/{record.partition}@{record.offset}"
                    yield f"{place}: cannot be read: {record.unreadable.reason}"
                else:
                    yield Plain(making.of_record(record))
