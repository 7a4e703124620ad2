"""
Carry out a plan, step by step, and keep the lock file true at every moment.

A creation is written into the lock before it is asked for, and again with its id: a kill or a lost answer between the
two leaves a beginning, for which the account is searched before anything is created again.
"""

from collections.abc import Awaitable, Callable, Sequence

from consumer.clock import Clock
from consumer.libraries import Account, AnswerLost, Existing, Library, State
from consumer.libraries.file import Wanted
from consumer.libraries.lock import Lock
from consumer.libraries.plan import Plan, Step

LOOKS = (0.5, 1.5, 3.0)
"""Seconds before each look for a library whose creation was not answered with an id."""


class NotFoundYet(AnswerLost):
    """A library that was to be created is not listed: nothing is repeated until it had its time."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__("create", why)
        self.args = (
            f"{name}: {why}, and the account does not list it yet. It may have been created: nothing is repeated. "
            "Run `libraries apply` again in a minute; it looks for it first",
        )


async def read_state(account: Account, wanted: Sequence[Wanted], lock: Lock) -> State:
    """
    Ask the account for what a plan compares.

    Raises:
        VendorRefused, CallFailed: it does not tell.
    """
    digest = await account.digest()
    scenarios = await account.scenarios()
    libraries = [*await account.libraries("image"), *await account.libraries("text")]
    names = {each.library.name for each in wanted if each.keywords is not None}
    ours = {locked.id for locked in lock.libraries if locked.kind == "text" and locked.name in names}
    keywords = {
        each.id: await account.keywords(each.id)
        for each in libraries
        if each.library.kind == "text" and (each.id in ours or each.library.name in names)
    }
    return State(account=digest, libraries=libraries, scenarios=scenarios, keywords=keywords)


class Applying:
    """One run. `save` makes a lock durable before it returns."""

    def __init__(self, account: Account, lock: Lock, save: Callable[[Lock], None], clock: Clock) -> None:
        self._account = account
        self._lock = lock
        self._save = save
        self._clock = clock

    async def carry_out(self, plan: Plan, state: State, done: Callable[[Step], None]) -> None:
        """
        Do every step in its order; `done` is told of each.

        Raises:
            VendorRefused, AnswerLost, CallFailed: a step failed. Those before it are done, and the lock says so.
        """
        self._keep(self._lock.model_copy(update={"account": state.account}))
        ours = {each.id for each in state.libraries}
        for step in plan.steps:
            await self._ways[step.verb](self, step, ours)
            done(step)

    async def _create(self, step: Step, known: set[str]) -> None:
        library = _library(step)
        self._keep(self._lock.beginning(library.kind, library.name, self._clock.wall()))
        try:
            made = await self._account.create(library)
            why = "the answer has no id"
        except AnswerLost as error:
            made, why = None, str(error)
        except BaseException:  # it was refused, or never sent: there is nothing to look for
            self._keep(self._lock.without(library.kind, library.name))
            raise
        if made is None:
            made = await self._look_for(library, known, why)
        known.add(made)
        self._keep(self._lock.with_library(library.kind, library.name, made))
        if step.add:
            await self._account.add_keywords(made, step.add)

    async def _look_for(self, library: Library, known: set[str], why: str) -> str:
        for seconds in LOOKS:
            found = [each for each in await self._account.libraries(library.kind) if _is_new(each, library, known)]
            if len(found) == 1:
                return found[0].id
            await self._clock.sleep(seconds)
        raise NotFoundYet(library.name, why)

    async def _update(self, step: Step, _known: set[str]) -> None:
        await self._account.update(_id(step), _library(step))

    async def _replace(self, step: Step, known: set[str]) -> None:
        await self._delete(step, known)
        await self._create(step, known)

    async def _delete(self, step: Step, known: set[str]) -> None:
        library = _id(step)
        assert step.kind is not None
        await self._account.delete(step.kind, library)
        known.discard(library)
        self._keep(self._lock.without(step.kind, step.name))

    async def _take(self, step: Step, _known: set[str]) -> None:
        assert step.kind is not None
        self._keep(self._lock.with_library(step.kind, step.name, _id(step)))

    async def _forget(self, step: Step, _known: set[str]) -> None:
        assert step.kind is not None
        self._keep(self._lock.without(step.kind, step.name))

    async def _change_keywords(self, step: Step, _known: set[str]) -> None:
        if step.add:
            await self._account.add_keywords(_id(step), step.add)
        if step.remove:
            await self._account.remove_keywords(_id(step), step.remove)

    async def _create_scenario(self, step: Step, _known: set[str]) -> None:
        try:
            await self._account.create_scenario(step.name)
        except AnswerLost:
            if step.name not in await self._account.scenarios():
                raise

    async def _leave(self, _step: Step, _known: set[str]) -> None:
        """Leave a library that the file does not have any more as it is."""

    _ways: dict[str, Callable[["Applying", Step, set[str]], Awaitable[None]]] = {  # noqa: RUF012 — a table, never changed
        "create": _create,
        "update": _update,
        "replace": _replace,
        "delete": _delete,
        "take": _take,
        "forget": _forget,
        "keywords": _change_keywords,
        "scenario": _create_scenario,
        "keep": _leave,
    }

    def _keep(self, lock: Lock) -> None:
        if lock != self._lock:
            self._save(lock)
            self._lock = lock


def _is_new(found: Existing, wanted: Library, known: set[str]) -> bool:
    same = (found.library.name, found.library.category) == (wanted.name, wanted.category)
    return same and found.id not in known


def _library(step: Step) -> Library:
    assert step.library is not None
    return step.library


def _id(step: Step) -> str:
    assert step.id is not None
    return step.id
