"""
One image of the 1.0 API: fetched, looked at, judged by the rules that also answer 2.0, and by what the account's
libraries and people's feedback say of it, which come before the rules in this order.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from consumer.emulator.errors import ServiceError
from consumer.emulator.images import OF_1_0, Gallery, Picture
from consumer.emulator.libraries import Library, LibraryStore, match
from consumer.emulator.parameters import ImageUrl, OssObject, Parameters
from consumer.emulator.rules import Rule, answering
from consumer.emulator.scan.codes import BAD_REQUEST, ScanError, translated
from consumer.emulator.scan.feedback import FeedbackStore, Said
from consumer.emulator.scan.likeness import Print, Prints
from consumer.emulator.scan.parameters import Feedback, Scan, Task
from consumer.emulator.scan.verdicts import SERVICE, SceneResult, decided, results_of, texts_of
from consumer.emulator.sources import ImageSource

NOTHING = b""
"""The content of a sample image that could not be fetched. It is like none, and not asked for again."""


@dataclass(slots=True)
class Judge:
    """Says what images are, and takes what people say of them."""

    source: ImageSource
    libraries: LibraryStore
    feedback: FeedbackStore
    gallery: Gallery = field(default_factory=lambda: Gallery(limits=OF_1_0))
    prints: Prints = field(default_factory=Prints)

    async def judge(self, task: Task, scan: Scan, region: str, rules: Sequence[Rule]) -> list[SceneResult]:
        """
        What is answered about one task in each scene.

        Raises: ScanError.
        """
        if task.image is None:
            raise ScanError(BAD_REQUEST, task.wrong)
        data, picture = await self._look(task.image, region)
        asked = Parameters(SERVICE, task.image, task.data_id or "", frozenset(), region)
        rule = answering(rules, asked, picture)
        results = results_of(rule, scan.scenes)
        libraries = self.libraries.all()
        if not libraries and not self.feedback:
            return results
        samples = await self._samples(libraries, region)
        seen, prints = await asyncio.to_thread(self._prints, data, samples)

        def resembles(content: bytes) -> bool:
            return content in prints and prints[content].is_like(seen)

        def overruled(result: SceneResult) -> SceneResult:
            found = match(libraries, result.scene, scan.biz_type, texts_of(rule), resembles)
            if found:
                found.item.hits += 1
                return decided(result.scene, found.suggestion)
            said = self.feedback.find(result.scene, seen)
            return decided(result.scene, said.suggestion) if said else result

        return [overruled(result) for result in results]

    async def learn(self, feedback: Feedback, region: str) -> None:
        """
        Take feedback about an image that is named by URL.

        Raises: ScanError.
        """
        assert feedback.image
        data, _ = await self._look(feedback.image, region)
        seen = await asyncio.to_thread(self.prints.of, data)
        number = self.feedback.next_id()
        said = Said(
            number, feedback.suggestion, feedback.scenes, str(feedback.image), feedback.label, feedback.note, seen
        )
        self.feedback.add(said)

    async def _look(self, image: ImageUrl | OssObject, region: str) -> tuple[bytes, Picture]:
        try:
            data = await self.source.fetch(image, region)
            return data, await asyncio.to_thread(self.gallery.look, data)
        except ServiceError as error:
            raise translated(error, by_url=isinstance(image, ImageUrl)) from error

    async def _samples(self, libraries: Sequence[Library], region: str) -> set[bytes]:
        """The bytes of all sample images that are there. Those that nobody looked at are fetched."""
        items = [item for library in libraries if library.kind == "image" for item in library.items.values()]
        for item in items:
            if item.content is None:
                item.content = await self._sample(item.text, region)
        return {item.content for item in items if item.content}

    def _prints(self, data: bytes, samples: set[bytes]) -> tuple[Print, dict[bytes, Print]]:
        return self.prints.of(data), {sample: self.prints.of(sample) for sample in samples}

    async def _sample(self, url: str, region: str) -> bytes:
        bucket, _, key = url.removeprefix("oss://").partition("/")
        image = OssObject(bucket, key, region) if url.startswith("oss://") else ImageUrl(url)
        try:
            return await self.source.fetch(image, region)
        except ServiceError:
            return NOTHING
