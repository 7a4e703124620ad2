"""
Case number N of a seed: a policy as it is written, and images to decide about. Pure.
"""

import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import yaml

Tree = dict[str, Any]

LEVELS = ["none", "low", "medium", "high"]
OUTCOMES = ["pass", "review", "block"]
LABELS = [
    "pt_logo", "QRCode", "violent_gun", "violent_gun_lib", "violent_x_tii_lib", "sexual_art_tii", "nonLabel",
    "nonLabel_lib", "a", "A",
]  # fmt: skip
HITS = ["violent_gun_lib", "violent_x_tii_lib"]  # of libraries
WANTED = [*LABELS, "*", "violent_*", "*_lib", "v*n", "*_tii*", "*n*b", "*a*", "non*"]
PATTERNS = [*WANTED, "!*_tii_lib", "!a", "!v*", "!nonLabel"]
SERVICES = ["one", "two", "two_global"]
INFO = ["customImage", "textInImage", "publicFigure", "logoData"]
LIBRARIES = ["lib-1", "lib-2", "7"]
LOGOS = ["brand", "other"]
CONTEXT: Mapping[str, Sequence[Any]] = {"trust": ["new", "old", "1"], "n": [1, 2, True, False, "1"]}
FAILURES = ["fetch", "image", "input", "malformed", "provider", "account", "clock", "internal"]
MIDNIGHT = 1_814_400_000 // 86_400 * 86_400  # of a day in 2027; rules expire around it
WHENS = [
    {"tenant": ["t1"], "purpose": ["p1"]}, {"tenant": ["t1", "t2"], "purpose": ["p2"]},
    {"tenant": ["t1"]}, {"tenant": ["t2", "t3"]},
    {"purpose": ["p1"]}, {"purpose": ["p2", "p3"]},
]  # fmt: skip
"""Of which no two contradict each other."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image to decide about, as JSON, and the moment in unix seconds."""

    event: str
    answers: tuple[tuple[str, int | None, str], ...]  # service, frame, body
    failures: tuple[str, ...]
    coverage: tuple[int, int | None, bool] | None  # frames seen, frames that there are, whether it was made smaller
    sha256: str | None
    now: float


@dataclass(frozen=True, slots=True)
class Case:
    """A policy and images."""

    number: int
    policy: str  # YAML
    images: tuple[Image, ...]


def case(seed: int, number: int, images: int, broken: float) -> Case:
    """Make a case; a share of `broken` of them has something put wrong on purpose."""
    dice = Random(f"{seed} {number}")
    tree = _policy(dice)
    if dice.random() < broken:
        dice.choice(_FAULTS)(dice, tree)
    return Case(
        number,
        yaml.dump(tree, Dumper=yaml.CSafeDumper, sort_keys=False),
        tuple(_image(dice, nth) for nth in range(images)),
    )


def _some(dice: Random, of: Sequence[Any], least: int = 0, most: int = 3) -> list[Any]:
    return dice.sample(list(of), min(len(of), dice.randint(least, most)))


def _maybe(dice: Random, chance: float, **members: Any) -> Tree:
    return members if dice.random() < chance else {}


def _policy(dice: Random) -> Tree:
    names = iter(f"r{number}" for number in range(100))
    return {
        "policy": "made-up",
        "version": dice.randint(0, 9),
        **_maybe(dice, 0.7, services=_some(dice, SERVICES, 1)),
        "info": INFO if dice.random() < 0.85 else _some(dice, INFO),
        "record_context": list(CONTEXT),
        **_settings(dice, 0.5),
        "rules": [_rule(dice, next(names)) for _ in range(dice.randint(0, 6))],
        "overlays": [
            {
                "when": when,
                **_maybe(dice, 0.3, services=_some(dice, SERVICES, 1)),
                **_maybe(dice, 0.15, info=INFO if dice.random() < 0.7 else _some(dice, INFO)),
                **_settings(dice, 0.3),
                "rules": [_rule(dice, next(names)) for _ in range(dice.randint(0, 3))],
            }
            for when in dice.sample(WHENS, dice.randint(0, 4))
        ],
    }  # fmt: skip


def _settings(dice: Random, chance: float) -> Tree:
    return {
        **_maybe(dice, chance, route={level: dice.choice(OUTCOMES) for level in _some(dice, LEVELS)}),
        **_maybe(dice, chance, strict_recall=dice.random() < 0.5),
        **_maybe(dice, chance, allowlist=dice.choice(OUTCOMES[:2])),
        **_maybe(dice, chance / 4, unseen_frames=dice.choice(OUTCOMES[:2])),
        **_maybe(dice, chance, on_error={kind: dice.choice(OUTCOMES[1:]) for kind in _some(dice, FAILURES)}),
    }


def _rule(dice: Random, name: str) -> Tree:
    then = dice.choice(OUTCOMES)
    match: Tree = {
        **_maybe(dice, 0.8, label=[dice.choice(WANTED), *_some(dice, PATTERNS)]),
        **_maybe(dice, 0.15, service=[dice.choice(["*", "t*", "one"]), *_some(dice, ["two", "!two", "!*_global"])]),
        **_maybe(dice, 0.3, level=_some(dice, LEVELS, 1)),
        **_maybe(dice, 0.25, confidence=dice.choice([{"lt": 50}, {"gte": 50}, {"gte": 20.5, "lt": 80}, {"gte": 100}])),
        **_maybe(dice, 0.2, library=_some(dice, LIBRARIES, 1)),
        **_maybe(dice, 0.25, context={name: _some(dice, CONTEXT[name], 1) for name in _some(dice, list(CONTEXT), 1)}),
    }
    if then != "pass" or "label" in match:
        match |= _maybe(dice, 0.1, figure=True) | _maybe(dice, 0.1, logo=_some(dice, LOGOS, 1))
    way: Tree = dice.choice(
        [{}, {}, {}, {"mode": "shadow"}, {"mode": "enforce"}, {"rollout": dice.choice([0, 0.3, 0.9, 1])}]
    )
    if then != "pass" and dice.random() < 0.2:
        way = {"pin": True}
    expires = f"{_day(dice.randint(-2, 1))}"
    why = {"owner": "o", "reason": "r", **_maybe(dice, 0.7, expires=expires)}
    return {"id": name, "match": match or {"level": ["high"]}, "then": then, **way, **_maybe(dice, 0.3, why=why)}


def _day(after: int) -> str:
    """The day so many days after `MIDNIGHT`."""
    moment = datetime.datetime.fromtimestamp(MIDNIGHT, datetime.UTC) + datetime.timedelta(days=after)
    return moment.date().isoformat()


def _image(dice: Random, nth: int) -> Image:
    event = {
        "schema": "image.uploaded.v1",
        "event_id": f"event-{dice.randrange(10**6)}",
        "event_time": "2026-11-20T10:00:00.000Z",
        "tenant": dice.choice(["t1", "t2", "t3", "t4"]),
        "purpose": dice.choice(["p1", "p2", "p3", "p4"]),
        "subject": {"id": "s"},
        "images": [_named(dice)],
        **_maybe(dice, 0.7, context=_context(dice)),
    }
    answers: list[tuple[Any, int | None]] = [
        (service, None) for service in _some(dice, SERVICES, dice.choice([0, 1, 1, 1]), dice.choice([1, 1, 3]))
    ]
    if answers and dice.random() < 0.2:
        answers = [(service, frame) for service, _ in answers for frame in (0, 4)]
    frames = dice.choice([None, 1, 3])
    return Image(
        json.dumps(event),
        tuple((service, frame, json.dumps(_answer(dice))) for service, frame in answers),
        tuple(_some(dice, [*FAILURES, "unheard"], 0, 2)) if not answers or dice.random() < 0.05 else (),
        dice.choice([None, (1, frames, False), (3, frames, dice.random() < 0.3)]) if answers else None,
        dice.choice([None, None, f"{dice.randrange(16**64):064x}"]),
        MIDNIGHT + dice.choice([-86_400.0, -0.001, 0.0, 12_345.6]),
    )


def _named(dice: Random) -> Tree:
    ref = {"store": "oss", "bucket": "ugc", "key": f"k{dice.randrange(100)}", "region": "r"}
    return dice.choice(
        [
            {"id": "i", "url": "https://img.example.com/1.jpg", "sha256": "9f" * 32},
            {"id": "i", "ref": {**ref, "version": dice.choice([None, "null", "v7"])}},
        ]
    )


def _context(dice: Random) -> Tree:
    if dice.random() < 0.05:
        return {"trust": "new", "n": 1, "more": "x" * 9_000}  # beyond what is carried
    values = [*CONTEXT["trust"], *CONTEXT["n"], None, 1.0, ["new"], {"new": 1}, ""]
    return {name: dice.choice(values) for name in _some(dice, [*CONTEXT, "other"])}


def _answer(dice: Random) -> Tree:
    data: Tree = {"Result": [_found(dice) for _ in range(dice.choice([1, 1, 2, 4]))]}
    data |= _maybe(dice, 0.95, RiskLevel=dice.choice([*LEVELS * 2, *LEVELS[:2] * 3, None, "severe"]))
    data |= _maybe(dice, 0.7, Ext=_extension(dice))
    return {"Code": 200, "Msg": "OK", "RequestId": "R", "Data": data}


def _found(dice: Random) -> Tree:
    return {
        "Label": dice.choice([*LABELS, *HITS]),
        **_maybe(dice, 0.8, Confidence=dice.choice([None, 0, 20.5, 49.99, 50, 80, 100])),
        **_maybe(dice, 0.6, RiskLevel=dice.choice([*LEVELS * 2, *LEVELS[:2] * 3, None, "severe"])),
    }


def _extension(dice: Random) -> Tree:
    libraries: list[Any] = ["lib-1", "lib-2", 7, None]
    return {
        **_maybe(dice, 0.5, CustomImage=[{"LibId": dice.choice(libraries)} for _ in range(dice.randint(0, 2))]),
        **_maybe(dice, 0.5, TextInImage={"CustomText": [{"LibId": each} for each in _some(dice, libraries)]}),
        **_maybe(dice, 0.4, PublicFigure=[{"FigureName": None}] * dice.randint(0, 2)),
        **_maybe(dice, 0.4, LogoData=[{"Logo": [{"Label": "pt_logo", "Name": dice.choice([*LOGOS, None])}]}]),
    }  # fmt: skip


# What can be wrong: each takes a sound policy.


def _with_rule(change: Callable[[Random, Tree], None]) -> Callable[[Random, Tree], None]:
    def fault(dice: Random, tree: Tree) -> None:
        scopes = [tree, *tree["overlays"]]
        rules = [rule for scope in scopes for rule in scope["rules"]]
        if not rules:
            tree["rules"] = rules = [{"id": "made", "match": {"label": ["a"]}, "then": "review"}]
        change(dice, dice.choice(rules))

    return fault


def _same_id(dice: Random, tree: Tree) -> None:
    tree["rules"] += [{"id": "twice", "match": {"label": ["a"]}, "then": "review"}]
    dice.choice([tree, *tree["overlays"]])["rules"].append({"id": "twice", "match": {"label": ["b"]}, "then": "block"})


def _equal_rank(dice: Random, tree: Tree) -> None:
    one = dice.choice(WHENS)
    tree["overlays"] += [
        {"when": one, "rules": []},
        {"when": {key: [*of, "more"] for key, of in one.items()}, "rules": []},
    ]


_FAULTS: Sequence[Callable[[Random, Tree], None]] = (
    _same_id,
    _equal_rank,
    lambda dice, tree: tree.update(unheard=1),
    lambda dice, tree: tree.update(version="many"),
    lambda dice, tree: tree.update(services=[]),
    lambda dice, tree: tree.update(info=_some(dice, INFO, 0, 1)),
    lambda dice, tree: tree.update(record_context=["trust"]),
    lambda dice, tree: tree.update(on_error={"fetch": "pass"}),
    lambda dice, tree: tree.update(allowlist="block"),
    lambda dice, tree: tree["overlays"].append({"when": {}, "rules": []}),
    lambda dice, tree: tree["overlays"].append({"when": {"tenant": ["t9"]}, "info": [], "rules": []}),
    lambda dice, tree: tree["overlays"].append({"when": {"tenant": ["t9"]}, "services": [], "rules": []}),
    lambda dice, tree: tree["overlays"].append({"when": {"tenant": ["t9"]}, "version": 3, "rules": []}),
    _with_rule(lambda dice, rule: rule.update(pin=True)),
    _with_rule(lambda dice, rule: rule.update(pin=True, rollout=0.5)),
    _with_rule(lambda dice, rule: rule.update(mode="shadow", rollout=dice.choice([0, 1]))),
    _with_rule(lambda dice, rule: rule.update(mode="shadow", pin=True)),
    _with_rule(lambda dice, rule: rule.update(rollout=1.5)),
    _with_rule(lambda dice, rule: rule.update(then="stop")),
    _with_rule(lambda dice, rule: rule.update(match={})),
    _with_rule(lambda dice, rule: rule.update(match={"figure": True})),
    _with_rule(lambda dice, rule: rule.update(match={"logo": ["brand"], "level": ["high"]})),
    _with_rule(lambda dice, rule: rule["match"].update(label=["!a"])),
    _with_rule(lambda dice, rule: rule["match"].update(label=["a", "__overall__"])),
    _with_rule(lambda dice, rule: rule["match"].update(label=[""])),
    _with_rule(lambda dice, rule: rule["match"].update(labels=["a"])),
    _with_rule(lambda dice, rule: rule["match"].update(figure=False)),
    _with_rule(lambda dice, rule: rule["match"].update(context={"trust": []})),
    _with_rule(lambda dice, rule: rule["match"].update(context={"unheard": ["x"]})),
    _with_rule(lambda dice, rule: rule["match"].update(context={"trust": [1.5]})),
    _with_rule(lambda dice, rule: rule["match"].update(confidence=dice.choice(
        [{}, {"gte": 50, "lt": 50}, {"gte": 60, "lt": 50}, {"gte": -1}, {"lt": 101}, {"lt": 0}, {"gte": "much"}]))),
)  # fmt: skip
