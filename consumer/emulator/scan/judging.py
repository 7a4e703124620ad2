"""
One image of the 1.0 API: fetched, looked at, judged by the rules that also answer 2.0.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from consumer.emulator.errors import ServiceError
from consumer.emulator.images import OF_1_0, Gallery
from consumer.emulator.parameters import ImageUrl, Parameters
from consumer.emulator.rules import Rule, answering
from consumer.emulator.scan.codes import BAD_REQUEST, ScanError, translated
from consumer.emulator.scan.parameters import Scan, Task
from consumer.emulator.scan.verdicts import SERVICE, SceneResult, results_of
from consumer.emulator.sources import ImageSource


@dataclass(slots=True)
class Judge:
    """Says what images are."""

    source: ImageSource
    gallery: Gallery = field(default_factory=lambda: Gallery(limits=OF_1_0))

    async def judge(self, task: Task, scan: Scan, region: str, rules: Sequence[Rule]) -> list[SceneResult]:
        """
        What is answered about one task in each scene.

        Raises: ScanError.
        """
        if task.image is None:
            raise ScanError(BAD_REQUEST, task.wrong)
        try:
            data = await self.source.fetch(task.image, region)
            picture = await asyncio.to_thread(self.gallery.look, data)
        except ServiceError as error:
            raise translated(error, by_url=isinstance(task.image, ImageUrl)) from error
        asked = Parameters(SERVICE, task.image, task.data_id or "", frozenset(), region)
        return results_of(answering(rules, asked, picture), scan.scenes)
