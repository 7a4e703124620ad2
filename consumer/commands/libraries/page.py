"""How plans and libraries are shown: values in, text out."""

from collections.abc import Collection, Iterator
from dataclasses import asdict

import orjson

from consumer.libraries import KINDS, Existing, Library, State
from consumer.libraries.plan import Plan, Step
from consumer.vendor_facts.aliyun import LIBRARIES_REGION

MARKS = {
    "create": "+", "scenario": "+", "update": "~", "keywords": "~", "replace": "-+", "delete": "-", "take": "=",
    "forget": "=", "keep": " ",
}  # fmt: skip
NOT_ESTABLISHED = (
    f"These are libraries of the 1.0 service in {LIBRARIES_REGION}. "
    "Whether Image Moderation 2.0 honours them is not established."
)

DELETED_FIRST = "It is deleted before it is created anew, and in between nothing is found by it"
"""The vendor's pages do not say whether two may have one name, and the number of libraries is limited."""


def as_text(plan: Plan) -> str:
    """A plan for people."""
    lines = [f"{MARKS[step.verb]:<2} {step_line(step)}" for step in plan.steps]
    said = "nothing to do: the account has what the file says" if plan.is_empty else _counts(plan)
    return "\n".join([*lines, said, NOT_ESTABLISHED])


def as_json(step: Step) -> str:
    """A step as a line for programs."""
    shown = {name: value for name, value in asdict(step).items() if value not in (None, (), "")}
    if step.library:
        shown["library"] = _plain(step.library)
    return orjson.dumps(shown).decode()


def step_line(step: Step) -> str:
    """One step in words."""
    what = KINDS[step.kind] if step.kind else "business scenario"
    about = f"{what} {step.name}" + (f" (id {step.id})" if step.id else "")
    changes = ", ".join(f"{each.setting}: {each.now} → {each.wanted}" for each in step.changes)
    match step.verb:
        case "create" if step.library:
            return f"create {about}: {_settings(step.library)}{_words(' with', step.add)}"
        case "scenario":
            return f"create {about}"
        case "update":
            return f"update {about}: {changes}"
        case "replace":
            return f"replace {about}: {changes}; lost are {step.lost}. {DELETED_FIRST}"
        case "delete":
            return f"delete {about}; lost are {step.lost}"
        case "take":
            return f"take over {about}" + (f"; differs in {changes}" if changes else "")
        case "forget":
            return f"forget {about}: it is not at the account any more"
        case "keywords":
            return f"change {about}:{_words(' add', step.add)}{_words(' remove', step.remove)}"
        case _:
            return f"leave {about}: the file does not have it any more; --remove deletes it"


def library_lines(state: State, ours: Collection[str], lock: str, *, as_json: bool) -> Iterator[str]:
    """What the account has, a line each."""
    if as_json:
        for each in state.libraries:
            shown = {"id": each.id, **_plain(each.library), "items": each.items, "in_lock": each.id in ours}
            yield orjson.dumps(shown).decode()
        return
    yield f"account {state.account}"
    for each in state.libraries:
        yield f"{'=' if each.id in ours else ' '}  {_library_line(each)}"
    yield f"business scenarios: {', '.join(sorted(state.scenarios)) or 'none'}"
    yield f"= is in {lock}. {NOT_ESTABLISHED}"


def _library_line(each: Existing) -> str:
    library, items = each.library, "sample images" if each.library.kind == "image" else "keywords"
    return f"{each.id:<8} {KINDS[library.kind]} {library.name}: {_settings(library)}, {each.items} {items}"


def _counts(plan: Plan) -> str:
    done = sum(step.does_something for step in plan.steps)
    return f"{done} step{'s' if done > 1 else ''}"


def _plain(library: Library) -> dict[str, object]:
    return {**asdict(library), "biz_types": sorted(library.biz_types)}


def _settings(library: Library) -> str:
    parts = [library.category, library.scene, library.resource_type, library.lib_type, library.match_mode or ""]
    parts.append(f"for {', '.join(sorted(library.biz_types))}" if library.biz_types else "")
    parts.append("" if library.enable else "off")
    return " ".join(filter(None, parts))


def _words(before: str, words: Collection[str]) -> str:
    """Say how many keywords, and not which: they may be what nobody wants to read over a shoulder."""
    return f"{before} {len(words)} keyword{'s' if len(words) > 1 else ''}" if words else ""
