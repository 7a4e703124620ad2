"""
What must come of a policy, by one who reads YAML and JSON without the service's code. Pure.

Written from the rules of the language, in the slowest and plainest way.
"""

import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import combinations, product
from typing import Any, NamedTuple

import yaml

from tests.rig.policy_cases.cases import FAILURES, LEVELS, OUTCOMES, Image

Tree = Mapping[str, Any]

STRICTNESS = {each: rank for rank, each in enumerate(OUTCOMES)}
DEFAULT_ROUTE = {"high": "block", "medium": "review", "low": "pass", "none": "pass"}
EXACTLY = ("nonLabel", "nonLabel_lib")
MOST_CARRIED = 8_192  # bytes of an event's context


class Expected(NamedTuple):
    """What must come of an image."""

    services: tuple[str, ...]
    info: tuple[str, ...]
    decision: str
    reasons: frozenset[str]
    floor: tuple[str, str] | None
    would: str  # did every rule count
    held: frozenset[str]  # rules that do not count


class _Outcome(NamedTuple):
    """What a finding leads to."""

    rule: str
    decision: str
    floors: Sequence[tuple[str, str]]


def read(text: str) -> Tree:
    """Read a policy."""
    tree: Tree = yaml.load(text, yaml.CSafeLoader)
    return tree


def broken(tree: Tree) -> set[str]:
    """Why a policy is refused, as codes; P000 is what has none of its own."""
    return set(_broken(tree))


def expected(tree: Tree, image: Image) -> Expected:
    """Decide about an image by a sound policy."""
    return _Reading(tree, image).expected()


def _broken(tree: Tree) -> Iterator[str]:
    known = {
        "policy", "version", "services", "info", "record_context", "route", "strict_recall", "allowlist",
        "unseen_frames", "on_error", "rules", "overlays",
    }  # fmt: skip
    of_overlays = known - {"policy", "version", "record_context", "overlays"} | {"when"}
    overlays = tree["overlays"]
    if set(tree) - known or any(set(overlay) - of_overlays for overlay in overlays):
        yield "P001"
    if not isinstance(tree["version"], int) or any(each.get("services", ["x"]) == [] for each in (tree, *overlays)):
        yield "P000"
    for each in (tree, *overlays):
        if each.get("allowlist", "pass") not in ("pass", "review"):
            yield "P000"
        if "pass" in each.get("on_error", {}).values():
            yield "P011" if each is tree else "P000"
    if any(not overlay["when"] for overlay in overlays):
        yield "P000"
    for one, other in combinations([overlay["when"] for overlay in overlays], 2):
        if one and set(one) == set(other) and all(set(one[key]) & set(other[key]) for key in one):
            yield "P007"
    rules: list[tuple[Tree, int | None]] = [(rule, None) for rule in tree["rules"]]
    rules += [(rule, at) for at, overlay in enumerate(overlays) for rule in overlay["rules"]]
    if len({rule["id"] for rule, _ in rules}) < len(rules):
        yield "P019"
    for rule, at in rules:
        yield from _broken_rule(rule, tree)
        if any(_is_never_told(rule["match"], info) for info in _infos(tree, at)):
            yield "P010"


def _infos(tree: Tree, at: int | None) -> Iterator[Sequence[str]]:
    """What is asked for wherever the rules of an overlay, or of the base, are in force."""
    for tenant, purpose in product(("t1", "t2", "t3", "t4", "t9", "more"), ("p1", "p2", "p3", "p4", "more")):
        laid = _laid(tree, tenant, purpose)
        if at is None or tree["overlays"][at] in laid:
            yield next((overlay["info"] for overlay in laid if "info" in overlay), tree["info"])


def _is_never_told(match: Tree, info: Sequence[str]) -> bool:
    if "figure" in match and "publicFigure" not in info:
        return True
    if "logo" in match and "logoData" not in info:
        return True
    if "library" not in match:
        return False
    labels = [each for each in match.get("label", ["*"]) if not each.startswith("!")]
    of_words = all(each.endswith("_tii_lib") for each in labels)
    of_images = all(each.endswith("_lib") and "*" not in each and not each.endswith("_tii_lib") for each in labels)
    if of_words or of_images:
        return ("textInImage" if of_words else "customImage") not in info
    return not {"textInImage", "customImage"} & set(info)


def _broken_rule(rule: Tree, tree: Tree) -> Iterator[str]:
    match, share = rule["match"], rule.get("rollout")
    if set(match) - {"label", "service", "level", "confidence", "library", "figure", "logo", "context"}:
        yield "P001"
    if rule["then"] not in STRICTNESS or (share is not None and not 0 <= share <= 1) or not match:
        yield "P000"
    if rule.get("pin"):
        if rule["then"] == "pass":
            yield "P018"
        if share is not None:
            yield "P013"
    if rule.get("mode") == "shadow" and (rule.get("pin") or share is not None):
        yield "P013"
    if rule["then"] == "pass" and "label" not in match and ("figure" in match or "logo" in match):
        yield "P000"
    labels = match.get("label", ["*"])
    if "__overall__" in labels:
        yield "P012"
    if "" in labels or all(each.startswith("!") for each in labels) or match.get("figure", True) is not True:
        yield "P000"
    for name, values in match.get("context", {}).items():
        if name not in tree["record_context"] or not values or any(type(each) is float for each in values):
            yield "P000"
    if "confidence" in match:
        least, below = match["confidence"].get("gte"), match["confidence"].get("lt")
        if any(isinstance(each, str) or not 0 <= (each or 0) <= 100 for each in (least, below)):
            yield "P000"
        elif (least is None and below is None) or (below is not None and (least or 0) >= below):
            yield "P004"


def _laid(tree: Tree, tenant: str, purpose: str) -> list[Tree]:
    """The overlays for a tenant and purpose, the most specific first."""
    given = {"tenant": tenant, "purpose": purpose}
    fitting = [
        each for each in tree["overlays"] if each["when"] and all(given[key] in of for key, of in each["when"].items())
    ]
    return sorted(fitting, key=lambda each: (-len(each["when"]), "tenant" not in each["when"]))


class _Reading:
    """One policy and one image."""

    def __init__(self, tree: Tree, image: Image) -> None:
        self.image = image
        self.event = json.loads(image.event)
        laid = _laid(tree, self.event["tenant"], self.event["purpose"])
        scopes = [*laid, tree]
        said: list[Any] = [
            next((scope[key] for scope in scopes if key in scope), default)
            for key, default in (
                ("services", ["baselineCheck_global"]), ("info", []), ("strict_recall", False), ("allowlist", "pass"),
                ("unseen_frames", "pass"),
            )
        ]  # fmt: skip
        self.services, self.info, strict, self.allowlist, self.unseen = said
        self.route, self.on_error = dict(DEFAULT_ROUTE), dict.fromkeys(FAILURES, "review")
        for scope in reversed(scopes):
            self.route |= scope.get("route", {})
            self.on_error |= scope.get("on_error", {})
        self.names = {level: f"default:{level}" for level in LEVELS}
        if strict and self.route["low"] == "pass":
            self.route["low"], self.names["low"] = "review", "strict_recall:low"
        self.rules = [rule for scope in scopes for rule in scope["rules"]]
        written = len(json.dumps(self.event.get("context", {}), separators=(",", ":")))
        self.context = self.event.get("context", {}) if written <= MOST_CARRIED else {}

    def expected(self) -> Expected:
        """Say what must come of it."""
        counting = [rule for rule in self.rules if self._counts(rule)]
        decision, reasons, floors = self._decided(counting)
        would, _, _ = self._decided(self.rules)
        floor = max(floors, key=lambda each: STRICTNESS[each[1]], default=None)
        held = frozenset(rule["id"] for rule in self.rules if rule not in counting)
        return Expected(tuple(self.services), tuple(self.info), decision, reasons, floor, would, held)

    def _decided(self, rules: Sequence[Tree]) -> tuple[str, frozenset[str], list[tuple[str, str]]]:
        outcomes = [outcome for answer in self.image.answers for outcome in self._outcomes(rules, *answer)]
        seen = self.image.coverage
        is_whole = seen is not None and seen[1] is not None and seen[1] <= seen[0] and not seen[2]
        if self.unseen == "review" and self.image.answers and not is_whole:
            outcomes.append(_Outcome("unseen_frames", "review", []))
        failed = [self.on_error.get(kind, "review") for kind in self.image.failures]
        all_of_them = [outcome.decision for outcome in outcomes] + failed
        decision = max(all_of_them, key=STRICTNESS.__getitem__, default="review")
        reasons = frozenset(outcome.rule for outcome in outcomes if outcome.decision == decision)
        return decision, reasons, [floor for outcome in outcomes for floor in outcome.floors]

    def _outcomes(self, rules: Sequence[Tree], service: str, frame: int | None, body: str) -> Iterator[_Outcome]:
        data = json.loads(body)["Data"]
        overall, levels = data.get("RiskLevel") or "unknown", []
        for found in data["Result"]:
            level = found.get("RiskLevel") or ("none" if found["Label"] in EXACTLY else overall)
            levels.append(level)
            matching = [rule for rule in rules if self._matches(rule, service, found, level, data.get("Ext") or {})]
            yield self._outcome(found["Label"], level, matching)
        reached = max((LEVELS.index(level) for level in levels if level in LEVELS), default=-1)
        if overall not in LEVELS or LEVELS.index(overall) > reached:
            yield self._outcome("__overall__", overall, [])

    def _outcome(self, label: str, level: str, matching: Sequence[Tree]) -> _Outcome:
        if matching:
            rule, decision = matching[0]["id"], matching[0]["then"]
        elif label == "nonLabel_lib" and level == "none":
            rule, decision = "default:allowlist", self.allowlist
        else:
            rule, decision = self.names.get(level, "default:unknown_level"), self.route.get(level, "review")
        floors = [(each["id"], each["then"]) for each in matching if each.get("pin")]
        for pinned, then in floors:
            if STRICTNESS[then] > STRICTNESS[decision]:
                rule, decision = pinned, then
        return _Outcome(rule, decision, floors)

    def _matches(self, rule: Tree, service: str, found: Tree, level: str, told: Tree) -> bool:
        match, label, confidence = rule["match"], found["Label"], found.get("Confidence")
        sure = match.get("confidence", {})
        conditions = [
            level in LEVELS or rule["then"] != "pass",
            self.image.now < _end(rule),
            level in match.get("level", [level]),
            _is_named(match.get("service", ["*"]), service),
            _is_named(match.get("label", ["*"]), label) if "label" in match else True,
            not sure or (confidence is not None and sure.get("gte", 0) <= confidence < sure.get("lt", 1_000)),
            "library" not in match or bool(set(match["library"]) & _libraries(label, told)),
            "figure" not in match or bool(told.get("PublicFigure")),
            "logo" not in match or bool(set(match["logo"]) & _logos(told)),
            all(_is_one_of(self.context.get(name), values) for name, values in match.get("context", {}).items()),
        ]
        return all(conditions)

    def _counts(self, rule: Tree) -> bool:
        """Whether a rule counts for the image: for none in shadow, for a share of them in a rollout."""
        if rule.get("mode") == "shadow":
            return False
        digest = hashlib.sha256(rule["id"].encode() + b"\0" + self._identity().encode()).digest()
        return (int.from_bytes(digest) >> 203) / 2**53 < float(rule.get("rollout", 1))

    def _identity(self) -> str:
        named = self.event["images"][0]
        ref = named.get("ref", {})
        if self.image.sha256 is not None:
            return f"sha256:{self.image.sha256}"
        if ref.get("version") not in (None, "null"):
            return f"version:{ref['bucket']}/{ref['key']}@{ref['version']}"
        return f"event:{self.event['event_id']}/{named['id']}"


def _end(rule: Tree) -> float:
    """When a rule's last day ends, in unix seconds."""
    expires = rule.get("why", {}).get("expires")
    if expires is None:
        return float("inf")
    day = datetime.datetime.fromisoformat(f"{expires}T00:00:00+00:00")
    return (day + datetime.timedelta(days=1)).timestamp()


def _is_named(patterns: Sequence[str], name: str) -> bool:
    if name in EXACTLY:
        patterns = [each for each in patterns if "*" not in each]
    wanted = [each for each in patterns if not each.startswith("!")]
    taken_away = [each[1:] for each in patterns if each.startswith("!")]
    return any(fnmatchcase(name, each) for each in wanted) and not any(fnmatchcase(name, each) for each in taken_away)


def _libraries(label: str, told: Tree) -> set[str]:
    if label == "nonLabel_lib" or not label.endswith("_lib"):
        return set()
    parts = (
        told.get("TextInImage", {}).get("CustomText", []) if label.endswith("_tii_lib") else told.get("CustomImage", [])
    )
    return {str(part["LibId"]) for part in parts if part["LibId"] is not None}


def _logos(told: Tree) -> set[Any]:
    return {logo["Name"] for part in told.get("LogoData", []) for logo in part["Logo"]} - {None}


def _is_one_of(value: Any, values: Sequence[Any]) -> bool:
    """Whether it equals one; in JSON true is no number."""
    return any(value == each and isinstance(value, bool) == isinstance(each, bool) for each in values)
