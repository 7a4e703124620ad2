"""
Made-up answers of the 1.0 API, and what they may lead to, said anew: nothing here is shared with what reads them.
"""

import json
import random
from typing import Any

SCENES = ("porn", "terrorism", "ad")
OURS = "image-1"
STRICTNESS = {"pass": 0, "review": 1, "block": 2}

_ODD: list[Any] = [None, True, False, "", "PASS", "pass ", "unknown", 0, -1, 101, 1e9, [], {}, "99.9", [1], {"a": 1}]


def answer(dice: random.Random) -> bytes:
    """One answer: most are sound but for one thing or two."""
    tree = {
        "code": 200, "msg": "OK", "requestId": "R-1",
        "data": [{"code": 200, "msg": "OK", "dataId": OURS, "taskId": "img1", "url": "u", "extras": {},
                  "results": [_result(scene, dice) for scene in SCENES]}],
    }  # fmt: skip
    for _ in range(dice.choice((0, 0, 1, 1, 2, 4))):
        _spoil(tree, dice)
    text = json.dumps(tree)
    if dice.random() < 0.05:
        text = text[: dice.randrange(len(text))]
    if dice.random() < 0.03:
        text = text.replace('"suggestion": "block"', '"suggestion": "block", "suggestion": "pass"', 1)
    return text.encode()


def _result(scene: str, dice: random.Random) -> dict[str, Any]:
    suggestion = dice.choice(("pass", "pass", "pass", "pass", "review", "block"))
    return {"scene": scene, "label": "normal", "suggestion": suggestion, "rate": dice.choice((99.9, 0, 100, 12.5))}


def _spoil(tree: dict[str, Any], dice: random.Random) -> None:
    places: list[tuple[Any, Any]] = []
    _places(tree, places)
    parent, key = dice.choice(places)
    match dice.randrange(6):
        case 0:
            del parent[key]
        case 1 | 2:
            parent[key] = json.loads(json.dumps(dice.choice(_ODD)))
        case 3:
            parent[key] = dice.choice(("pass", "review", "block", 200, 280, 500, 588, 590, "ad", OURS, "image-2"))
        case 4 if isinstance(parent, list):
            parent.append(json.loads(json.dumps(parent[key])))
        case 4:
            parent[f"{key[0].upper()}{key[1:]}"] = parent[key]
        case _ if isinstance(parent, list):
            parent.append({**_result("logo", dice), "suggestion": dice.choice(("block", "unsure", "pass"))})
        case _:
            parent[key] = parent[key]


def _places(node: Any, found: list[tuple[Any, Any]]) -> None:
    keys: Any = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    for key in list(keys):
        found.append((node, key))
        _places(node[key], found)


def mildest(body: bytes) -> str | None:
    """The mildest decision that an answer allows; None where it is no answer about our image in all scenes."""
    twice: list[bool] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name[0].lower() + name[1:] if name else name for name, _ in pairs]
        twice.append(any(names.count(name) > 1 for name in names if name in _READ))
        return dict(zip(names, (value for _, value in pairs), strict=True))

    try:
        tree = json.loads(body, object_pairs_hook=once)
        [task] = tree["data"]
        suggestions = [each["suggestion"] for each in task["results"]]
        sound = (
            not any(twice) and _is_200(tree["code"]) and _is_200(task["code"]) and task["dataId"] == OURS
            and set(SCENES) <= {each["scene"] for each in task["results"]}
            and all(suggestion in STRICTNESS for suggestion in suggestions)
            and all(_is_rate(each["rate"]) and _is_name(each["label"]) and _is_name(each["scene"])
                    for each in task["results"])
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return max(suggestions, key=STRICTNESS.__getitem__) if sound else None


_READ = {"code", "data", "dataId", "results", "scene", "suggestion", "rate", "label"}


def _is_200(code: Any) -> bool:
    return type(code) is int and code == 200


def _is_rate(rate: Any) -> bool:
    return type(rate) in (int, float) and 0 <= rate <= 100


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name != ""
