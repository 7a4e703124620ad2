"""
The objects that were uploaded for one look, and when they go. Pure: the time is given, in seconds of any one clock.

Vendor: the object of a local file is deleted after 30 minutes.
"""

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class _Stored:
    data: bytes = field(repr=False)
    until: float


@dataclass(slots=True)
class TemporaryObjects:
    """
    Objects by bucket and key, each for `lifetime` seconds, of together at most `capacity` bytes.

    When there is no room the oldest go. That is the emulator's own: the vendor names no limit.
    """

    lifetime: float
    capacity: int
    size: int = 0
    """Bytes of all objects."""
    _objects: OrderedDict[tuple[str, str], _Stored] = field(default_factory=OrderedDict)  # the oldest first

    def __len__(self) -> int:
        return len(self._objects)

    def put(self, bucket: str, key: str, data: bytes, *, now: float) -> None:
        """Keep `data`, in place of what was there."""
        self._remove((bucket, key))
        self._objects[bucket, key] = _Stored(data, now + self.lifetime)
        self.size += len(data)
        while self._objects and (self.size > self.capacity or self._is_over(next(iter(self._objects)), now)):
            self._remove(next(iter(self._objects)))

    def get(self, bucket: str, key: str, *, now: float) -> bytes | None:
        """What is there now, or None."""
        found = self._objects.get((bucket, key))
        if found is None:
            return None
        if self._is_over((bucket, key), now):
            self._remove((bucket, key))
            return None
        return found.data

    def _is_over(self, name: tuple[str, str], now: float) -> bool:
        return now >= self._objects[name].until

    def _remove(self, name: tuple[str, str]) -> None:
        gone = self._objects.pop(name, None)
        if gone is not None:
            self.size -= len(gone.data)
