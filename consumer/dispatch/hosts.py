"""
Which hosts of a topic's image URLs fail, and so would keep its slots from the images of the others. Values only.

A host fails while more than half of its last 20 images could not be fetched and another host's could, among the last
100 of the topic. Where no host's can be fetched, none is at fault: the provider's way to them is.
"""

from collections import OrderedDict, deque

REMEMBERED = 20  # images of a host
MOST_FAILED = 10  # of them, of a host that does not fail
LATELY = 100  # images of the topic
MOST_HOSTS = 1_000  # those whose images were asked about last


class Hosts:
    """What became of the latest images of each host of one input topic."""

    def __init__(self) -> None:
        self._fetches: OrderedDict[str, deque[bool]] = OrderedDict()  # whether each could be fetched
        self._failing: set[str] = set()
        self._count = 0
        self._fetched: dict[str, int] = {}  # the last two hosts of which an image could be, and the count at that time

    def __len__(self) -> int:
        return len(self._fetches)

    @property
    def failing(self) -> int:
        """How many hosts fail."""
        return len(self._failing)

    def fails(self, host: str) -> bool:
        """Whether images of this host are to wait among themselves."""
        return host in self._failing

    def note(self, host: str, *, fetched: bool) -> bool:
        """Note whether an image could be fetched, and return whether that changed what `fails` says of its host."""
        self._count += 1
        fetches = self._fetches.setdefault(host, deque(maxlen=REMEMBERED))
        fetches.append(fetched)
        self._fetches.move_to_end(host)
        if fetched:
            self._fetched.pop(host, None)
            self._fetched[host] = self._count
            if len(self._fetched) > 2:
                del self._fetched[next(iter(self._fetched))]
        if len(self._fetches) > MOST_HOSTS:
            forgotten, _ = self._fetches.popitem(last=False)
            self._failing.discard(forgotten)
        lately = self._count - LATELY
        others_are_fetched = any(count > lately for other, count in self._fetched.items() if other != host)
        fails = fetches.count(False) > MOST_FAILED and others_are_fetched
        if fails == self.fails(host):
            return False
        self._failing ^= {host}
        return True
