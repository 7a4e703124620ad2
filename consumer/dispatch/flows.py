"""
Which call of a lane has the next slot. Values only; `concurrency.py` acts on them.

    those that go first ──► the topic with the fewest slots ──► of it the tenant with the fewest ──► of it later frames

A call goes first where something is paid for its image, and where it had a slot and gave it back while it waited for
something else. Later frames of an image go before its tenant's other calls only: there may be many of them, and one
tenant's animations would go before everybody's images for as long as they come.

So calls that hang hold what nobody else waits for: whoever comes anew has the next slots that are given back, until it
holds as many as the others. Who holds as many as another takes turns with it.
"""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

Caller = TypeVar("Caller", bound=Hashable)


class Flow(NamedTuple):
    """Whose calls wait behind one another. The topic is certain; the tenant is what its message claims."""

    topic: str = ""
    tenant: str | None = ""
    """None: the images of the topic whose hosts fail, whoever sent them."""


class _Line(NamedTuple, Generic[Caller]):
    """The waiting calls of a flow, in the order they came."""

    ahead: dict[Caller, None]
    others: dict[Caller, None]


class FlowQueue(Generic[Caller]):
    """The calls of one lane: those that wait for a slot, and how many slots each flow holds."""

    def __init__(self) -> None:
        self._first: dict[Caller, Flow] = {}
        self._waiting: dict[Flow, _Line[Caller]] = {}
        self._held: Counter[Hashable] = Counter()
        self._held_by_topic: Counter[Hashable] = Counter()
        self.waiting = 0
        """How many calls wait."""

    @property
    def flows(self) -> int:
        """Flows that are remembered: those that hold slots."""
        return len(self._held)

    def wait(self, caller: Caller, flow: Flow, *, first: bool, ahead: bool = False) -> None:
        """Let a call wait; before all others where it goes `first`, and before its flow's where it goes `ahead`."""
        if first:
            self._first[caller] = flow
        else:
            line = self._waiting.setdefault(flow, _Line({}, {}))
            (line.ahead if ahead else line.others)[caller] = None
        self.waiting += 1

    def next(self) -> Caller:
        """Give a slot to the call that is next, and return it. `ValueError` where none waits."""
        if self._first:
            caller, flow = next(iter(self._first.items()))
        else:
            flow = min(self._waiting, key=lambda each: (self._held_by_topic[each.topic], self._held[each]))
            self._waiting[flow] = self._waiting.pop(flow)  # last in line among its equals
            line = self._waiting[flow]
            caller = next(iter(line.ahead or line.others))
        self.give_up(caller, flow)
        self.take(flow)
        return caller

    def take(self, flow: Flow) -> None:
        """Note that a call of the flow holds a slot."""
        self._held[flow] += 1
        self._held_by_topic[flow.topic] += 1

    def give_up(self, caller: Caller, flow: Flow) -> bool:
        """Let a call wait no longer, and return whether it did: False where it has its slot."""
        line = self._waiting.get(flow, _Line({}, {}))
        for part in (self._first, line.ahead, line.others):
            if caller in part:
                del part[caller]
                break
        else:
            return False
        if not (line.ahead or line.others):
            self._waiting.pop(flow, None)
        self.waiting -= 1
        return True

    def give_back(self, flow: Flow) -> None:
        """Note that a call of the flow holds its slot no longer."""
        for held, key in ((self._held, flow), (self._held_by_topic, flow.topic)):
            held[key] -= 1
            if not held[key]:
                del held[key]
