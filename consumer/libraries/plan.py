"""
What is to be done so that the account has the libraries of the file. Pure: state and time in, steps and problems out.

    in the lock, at the account     compared: update, or replace where an update cannot change it
    in the lock, not there any more created again
    not in the lock, not there      created
    not in the lock, but there      refused: it may be somebody else's (`adopt` takes it over)
    begun and not answered          taken, where it is there now; else created, once the vendor had its time
    in the lock, not in the file    left alone, or deleted with `--remove`

Vendor: what CreateImageLib and CreateKeywordLib decide for ever is Category, ResourceType and LibType.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from consumer.config.problems import Keys, Problem
from consumer.libraries import KINDS, Existing, Kind, Library, State
from consumer.libraries.file import Wanted
from consumer.libraries.lock import Lock

SETTLED = 60.0
"""Seconds after which a creation that is not listed is taken as not carried out."""
MOST_IMAGE_LIBRARIES = 10
"""Vendor: how many image libraries an account may have, unless it was given more."""

Verb = Literal["create", "update", "replace", "delete", "take", "forget", "keywords", "scenario", "keep"]

FIXED = ("category", "resource_type", "lib_type")
_CHANGEABLE = ("name", "scene", "biz_types", "enable", "match_mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A setting, as it is at the account and as the file has it."""

    setting: str
    now: str
    wanted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do. `lost` says in words what is gone afterwards."""

    verb: Verb
    name: str
    kind: Kind | None = None
    id: str | None = None
    library: Library | None = None
    changes: tuple[Change, ...] = ()
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    lost: str = ""

    @property
    def does_something(self) -> bool:
        """Whether the account or the lock is different afterwards."""
        return self.verb != "keep"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in this order. With problems nothing is."""

    steps: Sequence[Step]
    problems: Sequence[Problem]
    notes: Sequence[str]

    @property
    def is_empty(self) -> bool:
        """Whether everything is as the file says."""
        return not any(step.does_something for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What the operator allows beyond what is harmless."""

    replace: bool = False
    remove: bool = False


def plan(
    wanted: Sequence[Wanted], scenarios: Sequence[str], state: State, lock: Lock, now: float, allowed: Allowed
) -> Plan:
    """Compare the file with the account, at `now` in unix seconds."""
    if lock.account not in (None, state.account):
        text = (
            f"the lock file is another account's ({lock.account}); the key is of {state.account}: "
            "use that account's key, or name another --lock"
        )
        return Plan((), (Problem((), text),), ())
    return _Planning(state, lock, now, allowed).plan(wanted, scenarios)


class _Planning:
    """One comparison."""

    def __init__(self, state: State, lock: Lock, now: float, allowed: Allowed) -> None:
        self._state = state
        self._lock = lock
        self._now = now
        self._allowed = allowed
        self._problems: list[Problem] = []
        self._notes: list[str] = []

    def plan(self, wanted: Sequence[Wanted], scenarios: Sequence[str]) -> Plan:
        new = [name for name in dict.fromkeys(scenarios) if name not in self._state.scenarios]
        known = self._state.scenarios | frozenset(scenarios)
        for each in wanted:
            self._look_at_scenarios(each, known)
        steps = [
            *(Step(verb="scenario", name=name) for name in new),
            *self._gone(wanted),
            *(step for each in wanted for step in self._of(each)),
        ]
        self._count(steps)
        return Plan(steps, self._problems, self._notes)

    def _look_at_scenarios(self, wanted: Wanted, known: frozenset[str]) -> None:
        for name in sorted(wanted.library.biz_types - known):
            self._wrong(
                (*wanted.keys, "biz_types"),
                f"the account has no business scenario {name}: add it to business_scenarios, or correct it",
            )

    def _of(self, wanted: Wanted) -> Iterator[Step]:
        library = wanted.library
        locked = self._lock.find(library.kind, library.name)
        existing = self._by_id(library.kind, locked) if locked else None
        if existing:
            yield from self._compared(wanted, existing)
            return
        named = self._named(library)
        if len(named) > 1:
            ids = ", ".join(each.id for each in named)
            self._wrong(wanted.keys, f"the account has {len(named)} {_plural(library.kind)} of this name ({ids})")
        elif named:
            yield from self._taken(wanted, named[0])
        else:
            yield from self._created(wanted, locked)

    def _created(self, wanted: Wanted, locked: str | None) -> Iterator[Step]:
        library = wanted.library
        begun = self._lock.begun(library.kind, library.name)
        if begun and self._now - begun.at < SETTLED:
            left = round(SETTLED - (self._now - begun.at)) + 1
            self._wrong(
                wanted.keys,
                "its creation was begun, the answer was lost, and the account does not list it: it may still appear. "
                f"Run this again in {left} s, which looks first",
            )
            return
        if locked:
            self._notes.append(f"{library.name}: {locked} is not at the account any more; it is created again")
        yield Step(
            verb="create", name=library.name, kind=library.kind, library=library, add=_sorted(wanted.keywords or ())
        )

    def _taken(self, wanted: Wanted, existing: Existing) -> Iterator[Step]:
        """A library of that name that no lock knows: ours, where we began one, and else perhaps somebody's."""
        library = wanted.library
        changes = _changes(existing.library, library)
        if self._lock.begun(library.kind, library.name):
            if any(each.setting in FIXED for each in changes):
                self._wrong(
                    wanted.keys,
                    f"{existing.id} has its name and not what was to be created ({_words(changes)}): "
                    "look at it in the console",
                )
                return
            yield Step(verb="take", name=library.name, kind=library.kind, id=existing.id)
            yield from self._compared(wanted, existing)
            return
        how = f"with other settings ({_words(changes)})" if changes else "with the same settings"
        self._wrong(
            wanted.keys,
            f"the account has one of this name {how}, id {existing.id}, and the lock file does not: "
            "`libraries adopt` takes it over, or choose another name",
        )

    def _compared(self, wanted: Wanted, existing: Existing) -> Iterator[Step]:
        library = wanted.library
        changes = _changes(existing.library, library)
        fixed = [each for each in changes if each.setting in FIXED]
        about = {"name": library.name, "kind": library.kind, "id": existing.id}
        if fixed and not self._allowed.replace:
            for each in fixed:
                self._wrong(
                    (*wanted.keys, each.setting),
                    f"{each.setting} of {existing.id} is {each.now} and cannot be changed to {each.wanted}: "
                    f"--replace deletes the library and creates another; lost are {_lost(existing)}",
                )
        elif fixed:
            yield Step(
                verb="replace",
                library=library,
                changes=changes,
                add=_sorted(wanted.keywords or ()),
                lost=_lost(existing),
                **about,  # type: ignore[arg-type]
            )
        else:
            if changes:
                yield Step(verb="update", library=library, changes=changes, **about)  # type: ignore[arg-type]
            yield from self._keywords(wanted, existing)

    def _keywords(self, wanted: Wanted, existing: Existing) -> Iterator[Step]:
        if wanted.keywords is None:
            return
        there = self._state.keywords.get(existing.id, frozenset())
        add, remove = _sorted(wanted.keywords - there), _sorted(there - wanted.keywords)
        if add or remove:
            yield Step(verb="keywords", name=wanted.library.name, kind="text", id=existing.id, add=add, remove=remove)

    def _gone(self, wanted: Sequence[Wanted]) -> Iterator[Step]:
        names = {(each.library.kind, each.library.name) for each in wanted}
        for locked in self._lock.libraries:
            if locked.kind is None or locked.name is None or (locked.kind, locked.name) in names:
                continue
            existing = self._by_id(locked.kind, locked.id)
            about = {"name": locked.name, "kind": locked.kind, "id": locked.id}
            if existing is None:
                yield Step(verb="forget", **about)  # type: ignore[arg-type]
            elif self._allowed.remove:
                yield Step(verb="delete", lost=_lost(existing), **about)  # type: ignore[arg-type]
            else:
                yield Step(verb="keep", lost=_lost(existing), **about)  # type: ignore[arg-type]

    def _count(self, steps: Sequence[Step]) -> None:
        made = sum(step.verb == "create" and step.kind == "image" for step in steps)
        gone = sum(step.verb == "delete" and step.kind == "image" for step in steps)
        there = sum(each.library.kind == "image" for each in self._state.libraries)
        if made and there + made - gone > MOST_IMAGE_LIBRARIES:
            self._notes.append(
                f"the account has {there} image libraries, and with these {there + made - gone}: the vendor's page "
                f"allows {MOST_IMAGE_LIBRARIES}, those of the console among them"
            )

    def _by_id(self, kind: Kind, library: str) -> Existing | None:
        return next((each for each in self._state.libraries if (each.library.kind, each.id) == (kind, library)), None)

    def _named(self, library: Library) -> list[Existing]:
        """Those of its name that the lock does not know under another."""
        ours = {each.id for each in self._lock.libraries}
        return [
            each
            for each in self._state.libraries
            if (each.library.kind, each.library.name) == (library.kind, library.name) and each.id not in ours
        ]

    def _wrong(self, keys: Keys, text: str) -> None:
        self._problems.append(Problem(keys, text))


def adopted(wanted: Sequence[Wanted], state: State, lock: Lock) -> tuple[Lock, list[Step], list[Problem]]:
    """Take over the libraries that the account has under the names of the file; settings are `apply`'s."""
    problems: list[Problem] = []
    steps: list[Step] = []
    if lock.account not in (None, state.account):
        return lock, [], list(plan((), (), state, lock, 0.0, Allowed()).problems)
    lock = lock.model_copy(update={"account": state.account})
    for each in wanted:
        library = each.library
        if lock.find(library.kind, library.name):
            continue
        named = _Planning(state, lock, 0.0, Allowed())._named(library)
        if len(named) > 1:
            ids = ", ".join(one.id for one in named)
            problems.append(
                Problem(each.keys, f"the account has several of this name ({ids}): delete or rename all but one")
            )
        for one in named if len(named) == 1 else ():
            steps.append(
                Step(
                    verb="take",
                    name=library.name,
                    kind=library.kind,
                    id=one.id,
                    changes=_changes(one.library, library),
                )
            )
            lock = lock.with_library(library.kind, library.name, one.id)
    return lock, steps, problems


def _changes(now: Library, wanted: Library) -> tuple[Change, ...]:
    if wanted.match_mode is None:
        wanted = replace(wanted, match_mode=now.match_mode)
    return tuple(
        Change(setting=name, now=_shown(getattr(now, name)), wanted=_shown(getattr(wanted, name)))
        for name in (*FIXED, *_CHANGEABLE)
        if getattr(now, name) != getattr(wanted, name)
    )


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    return str(value) if value else "none"


def _words(changes: Sequence[Change]) -> str:
    return ", ".join(f"{each.setting} {each.now}, not {each.wanted}" for each in changes)


def _lost(existing: Existing) -> str:
    what = "sample images" if existing.library.kind == "image" else "keywords"
    return f"its {existing.items} {what}, and its id {existing.id}, which policies and verdicts may name"


def _plural(kind: Kind) -> str:
    return KINDS[kind].replace("library", "libraries")


def _sorted(words: Sequence[str] | frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(words))
