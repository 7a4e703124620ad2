"""
What is wrong with settings, in the words of YAML. Values only.

Pydantic says which value it refuses. What people read is made from the model's JSON Schema, which knows what is allowed
in that place: `must be a whole number of 1 or more (given: 'many')`. None of pydantic's own sentences is passed on.
"""

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from consumer.config.base import Contradictions
from consumer.redaction import cut, redacted

Keys = tuple[str, ...]
"""The way to a setting from the root."""

Schema = Mapping[str, Any]

LONGEST = 100  # characters of a value that is shown
HIDDEN = "…"
_UNKNOWN = ("extra_forbidden", "invalid_key")


@dataclass(frozen=True, slots=True)
class Problem:
    """One setting that is wrong. The text is complete, but for where the value came from."""

    keys: Keys
    text: str
    involved: tuple[Keys, ...] = ()  # other settings that it contradicts
    meant: Keys | None = None  # of a key that is no setting: the one that may have been meant
    unknown: bool = False  # whether the key is no setting
    shown: Keys | None = None  # what may be shown of the keys, where that is not all of them


def explained(
    error: ValidationError, model: type[BaseModel], tree: Any, unshown: Collection[Keys] = ()
) -> list[Problem]:
    """
    Say what is wrong with the tree that did not fit the model, each problem once.

    No value is shown of a key that is no setting, of a secret, of what is `unshown`, or of what should hold these.
    """
    explaining = _Explaining(_schema(model), model, tree, unshown)
    placed = [(details, *_placed(details, tree)) for details in error.errors(include_url=False)]
    deeper = [keys for _, keys, _ in placed]
    problems = (
        problem
        for details, keys, branch in placed
        # Of a value that may be this or that, the kind whose members were looked at is the one that was meant.
        if branch is None or len(keys) > len(branch) or not any(_is_below(other, keys) for other in deeper)
        for problem in explaining.of(details, keys)
    )
    return list(dict.fromkeys(map(explaining.without_foreign_names, problems)))


def known(model: type[BaseModel], keys: Keys) -> Keys:
    """The part of the keys, from the root, that names a setting or section; a `…` stands for the rest."""
    schemas = _Schemas(_schema(model))
    sound = next(depth for depth in range(len(keys), -1, -1) if all(_is_named(schemas, keys, i) for i in range(depth)))
    return keys if sound == len(keys) else (*keys[:sound], HIDDEN)


def secrets_of(model: type[BaseModel]) -> list[Keys]:
    """Every setting that holds a secret."""
    schemas = _Schemas(_schema(model))
    return [keys for keys in schemas.places() if any(schema.get("writeOnly") for schema in schemas.at(keys))]


def _is_named(schemas: "_Schemas", keys: Keys, depth: int) -> bool:
    return keys[depth] in schemas.names(keys[:depth])


def nearest(word: str, choices: Iterable[str], likeness: float = 0.6) -> str | None:
    """Return the choice that is written most like the word, or None where none is close to it."""
    by_spelling = {_spelling(choice): choice for choice in choices}
    found = get_close_matches(_spelling(word), by_spelling, n=1, cutoff=likeness)
    return by_spelling[found[0]] if found else None


def settings_of(model: type[BaseModel]) -> list[Keys]:
    """Every setting that has one fixed place, sections included."""
    return list(_Schemas(_schema(model)).places())


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


@dataclass(frozen=True, slots=True)
class _Explaining:
    """Words for the problems of one tree."""

    root: Schema
    model: type[BaseModel]
    tree: Any
    unshown: Collection[Keys]

    def without_foreign_names(self, problem: Problem) -> Problem:
        """A secret may stand where a key belongs: below what is not shown, settings' own names alone are."""
        if not any(problem.keys[: len(each)] == each for each in self.unshown):
            return problem
        return replace(problem, shown=known(self.model, problem.keys))

    def of(self, details: ErrorDetails, keys: Keys) -> Iterator[Problem]:
        raised = details.get("ctx", {}).get("error")
        if details["type"] in _UNKNOWN:
            yield self._unknown(keys)
        elif details["type"] == "missing":
            yield Problem(keys, "is missing")
        elif details["loc"][-1:] == ("[key]",):
            yield Problem(keys, _wrong_name(details))
        elif isinstance(raised, Contradictions):
            yield from (_contradiction(keys, *found) for found in raised.found)
        elif isinstance(raised, ValueError):
            yield Problem(keys, f"{redacted(str(raised))}{self._given(keys, details['input'])}")
        else:
            yield Problem(keys, self._refused(details, keys))

    def _unknown(self, keys: Keys) -> Problem:
        schemas = _Schemas(self.root)
        *above, last = keys
        places = list(schemas.places())
        meant = [place for place in places if _spelling("_".join(place)) == _spelling("_".join(keys))]
        if not meant and (near := nearest(last, schemas.names(above))):
            meant = [(*above, near)]
        meant = meant or [place for place in places if place[-1] == last]
        return Problem(keys, "is not a setting", meant=meant[0] if len(meant) == 1 else None, unknown=True)

    def _refused(self, details: ErrorDetails, keys: Keys) -> str:
        allowed = _Schemas(self.root).at(keys)
        value = details["input"]
        wanted = "a finite number" if details["type"] == "finite_number" else _described(allowed)
        quotes = ": put it in quotes" if wanted.startswith("a text") and _is_unquoted(value) else ""
        if not self._is_shown(keys):
            return f"must be {wanted}{quotes} (what is given is not shown)"
        choices = [choice for schema in allowed for choice in _choices(schema)]
        near = nearest(value, choices) if isinstance(value, str) else None
        return f"must be {wanted}{quotes}{self._given(keys, value)}{f'; did you mean {near}?' if near else ''}"

    def _given(self, keys: Keys, value: Any) -> str:
        text = shown(value) if self._is_shown(keys) else None
        return "" if text is None else f" (given: {redacted(text)})"

    def _is_shown(self, keys: Keys) -> bool:
        hidden = any(keys[: len(each)] == each or each[: len(keys)] == keys for each in self.unshown)
        return not hidden and not any(schema.get("writeOnly") for schema in _Schemas(self.root).at(keys))


def _placed(details: ErrorDetails, tree: Any) -> tuple[Keys, Keys | None]:
    """
    Return the keys of what is wrong, and those of the value that may be of several kinds, where it is one.

    Pydantic names each kind that it tried as if it were a key: only what leads through the tree is one.
    """
    keys: list[str] = []
    branch: Keys | None = None
    here = tree
    *_, last = details["loc"] or ("",)
    for step in details["loc"]:
        below = _below(here, step)
        if below or (details["type"] == "missing" and step is last):
            keys.append(str(step))
            here = below[0] if below else None
        elif step != "[key]":
            branch = tuple(keys)
    return tuple(keys), branch


def _below(value: Any, step: Any) -> list[Any]:
    """What stands at a key or position, alone in a list; an empty one where nothing does."""
    if isinstance(value, Mapping):
        return [each for key, each in value.items() if key == step or str(key) == step][:1]
    if isinstance(value, list | tuple) and isinstance(step, int):
        return list(value[step : step + 1])
    return []


def _is_below(keys: Keys, above: Keys) -> bool:
    return len(keys) > len(above) and keys[: len(above)] == above


def _contradiction(section: Keys, key: str, text: str, *others: str) -> Problem:
    involved = tuple((*section, *other.split(".")) for other in others)
    return Problem((*section, *(key.split(".") if key else ())), redacted(text), involved)


def _wrong_name(details: ErrorDetails) -> str:
    pattern = details.get("ctx", {}).get("pattern")
    return f"the name must match {pattern}" if pattern else "the name must be a text: put it in quotes"


def _spelling(word: str) -> str:
    return "_".join(filter(None, word.lower().replace("-", "_").split("_")))


@dataclass(frozen=True, slots=True)
class _Schemas:
    """A JSON Schema, and what it says of places in the tree."""

    root: Schema

    def at(self, keys: Sequence[str]) -> list[Schema]:
        """What may stand at a place: one schema for each kind of value."""
        found = list(self._kinds(self.root))
        for key in keys:
            found = [kind for schema in found for below in self._under(schema, key) for kind in self._kinds(below)]
        return found

    def names(self, keys: Sequence[str]) -> list[str]:
        """The settings of a section."""
        return [name for schema in self.at(keys) for name in schema.get("properties", ())]

    def places(self, above: Keys = ()) -> Iterator[Keys]:
        """Every setting below a section that has one fixed place."""
        for name in self.names(above):
            yield (*above, name)
            yield from self.places((*above, name))

    def _kinds(self, schema: Schema) -> Iterator[Schema]:
        if reference := schema.get("$ref"):
            yield from self._kinds(self.root["$defs"][reference.rpartition("/")[2]])
        elif "anyOf" in schema:
            for each in schema["anyOf"]:
                yield from self._kinds(each)
        elif schema.get("type") != "null":
            yield schema

    def _under(self, schema: Schema, key: str) -> Iterator[Schema]:
        if key in schema.get("properties", {}):
            yield schema["properties"][key]
        elif isinstance(others := schema.get("additionalProperties"), dict):
            yield others
        elif "patternProperties" in schema:
            yield from schema["patternProperties"].values()
        elif "items" in schema:
            yield schema["items"]


def _described(allowed: Sequence[Schema]) -> str:
    """Say what may stand in a place: `a list of texts`, `one of key, none`."""
    return ", or ".join(dict.fromkeys(map(_kind, allowed))) or "something else"


def _kind(schema: Schema) -> str:
    if choices := _choices(schema):
        return f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0]
    match schema.get("type"):
        case "integer":
            return f"a whole number{_range(schema, whole=True)}"
        case "number":
            return f"a number{_range(schema, whole=False)}"
        case "boolean":
            return "true or false"
        case "array":
            return _list(schema)
        case "object":
            return "a mapping"
        case _:
            return _text(schema)


def _choices(schema: Schema) -> list[str]:
    choices = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [each if isinstance(each, str) else str(shown(each)) for each in choices]


def _range(schema: Schema, *, whole: bool) -> str:
    names = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    least, above, most, below = (schema.get(name) for name in names)
    if whole and above is not None:
        least, above = above + 1, None
    if whole and below is not None:
        most, below = below - 1, None
    if least is not None and most is not None:
        return f" from {_plain(least)} to {_plain(most)}"
    low = f"greater than {_plain(above)}" if above is not None else _bound("of {} or more", least)
    high = f"less than {_plain(below)}" if below is not None else _bound("{} at most", most)
    found = ", ".join(filter(None, (low, high)))
    return f" {found}" if found else ""


def _bound(words: str, number: float | None) -> str:
    return "" if number is None else words.format(_plain(number))


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def _list(schema: Schema) -> str:
    items = schema.get("items", {})
    entries = {"string": ("text", "texts"), "object": ("mapping", "mappings")}
    kind = "string" if _choices(items) else items.get("type", "object" if "$ref" in items else "")
    one, many = entries.get(kind, ("entry", "entries"))
    return f"a list of at least one {one}" if schema.get("minItems") else f"a list of {many}"


def _text(schema: Schema) -> str:
    if schema.get("format") in ("path", "file-path", "directory-path"):
        return "a text: a path"
    if "pattern" in schema:
        return f"a text: {schema.get('description') or schema['pattern']}"
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if most is not None:
        return f"a text of {least} to {most} characters"
    return "a text that is not empty" if least else "a text"


def _is_unquoted(value: Any) -> bool:
    """Whether this stands for a text that YAML took for something else, as it takes 2026-11-20 for a date."""
    return isinstance(value, bool | int | float | datetime.date)


def shown(value: Any) -> str | None:
    """Write a value as YAML would, cut where it is long; None where that is not possible."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            kept = cut(value, LONGEST)
            return repr(kept if kept == value else f"{kept}…")
        case int() | float():
            return cut(str(value), LONGEST)
        case datetime.date():
            return value.isoformat()
        case Mapping():
            return "a mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            return None
