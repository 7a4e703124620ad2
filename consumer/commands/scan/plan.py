"""What a scan would do: how many images and calls, how long, for how much. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import orjson

from consumer.commands.amounts import calls, duration
from consumer.commands.scan.items import Item
from consumer.commands.scan.table import told_passed_over


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is there, and what asking about it takes."""

    images: int
    from_state: int  # of those, images that an earlier scan has paid for
    bytes: int  # of the files that would be uploaded
    services: tuple[str, ...]
    calls: int  # one for each service and image, if each is answered, but those that an earlier scan has paid for
    qps: int  # calls a second
    seconds: float
    cost: float | None  # with a price
    pictures: int  # of one file that are asked about at the most, each a call of its own
    passed_over: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(
        cls, known: int, to_ask: Sequence[Item], services: Sequence[str], calls: int, qps: int, price: float | None,
        passed_over: Mapping[str, int], pictures: int = 1, units: int = 1,
    ) -> "Plan":  # fmt: skip
        """Work it out; `known` images need not be asked about, the others take `calls`, each charged as `units`."""
        return cls(
            images=known + len(to_ask),
            from_state=known,
            bytes=sum(item.stamp.size for item in to_ask if item.stamp),
            services=tuple(services),
            calls=calls,
            qps=qps,
            seconds=calls / qps,
            cost=None if price is None else calls * units * price / 1000,
            pictures=pictures,
            passed_over=dict(passed_over),
        )

    def text(self) -> str:
        """For people."""
        return "\n".join(
            [
                f"{self.images:,} images{f', {self.from_state:,} of them from the state' if self.from_state else ''}; "
                f"{self.bytes:,} bytes of files would be uploaded.",
                f"{len(self.services)} service{'s' if len(self.services) > 1 else ''} ({', '.join(self.services)}): "
                f"{calls(self.calls)}{f', which cost {self.cost:,.2f}' if self.cost is not None else ''}.",
                f"At {calls(self.qps)} a second: {duration(self.seconds)}, or longer where images must be uploaded."
                f"{told_passed_over(self.passed_over)}",
                *self._told_of_pictures(),
                "Nothing was sent.",
            ]
        )

    def _told_of_pictures(self) -> list[str]:
        if self.pictures == 1:
            return []
        many = f"Of files with many pictures up to {self.pictures} are asked about (images.frames)"
        return [f"{many}, each a call: it takes and costs as much more."]

    def json(self) -> str:
        """For programs."""
        return orjson.dumps(asdict(self)).decode()
