"""
Case number N of a seed: what the provider sends about an image, and what may at most be made of it. Pure.

`certain_pass` reads an answer for itself, as strictly as the vendor's pages allow, and shares no code with the service.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random
from typing import Any

import cramjam

MIB = 1024 * 1024
_THROTTLED = 20  # attempts
FAULTY = 0.4  # of the images
_ENDLESS_CHUNK = b" " * 65_536


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes over the wire for one call."""

    kind: str
    head: bytes
    body: bytes = b""
    breaks_at: int | None = None
    """Bytes after which the connection is cut; None: it is sent whole."""

    endless: bool = False
    """Whether the body's last 64 KiB are sent again and again until the caller goes away."""

    drip: float = 0.0
    """Seconds between the bytes of the body's first hundred."""

    harmless: bool = False
    """Whether these bytes say, beyond doubt, that the image is harmless."""

    keeps: bool = True
    """Whether the connection may be used again."""


def sent(seed: int, number: int, attempt: int, data_id: str, faulty: float = FAULTY) -> Sent:
    """
    Make the answer to an attempt at image `number` of a seed.

    A share of `faulty` of the images meets one kind of fault: two of three at the first attempt alone, the others at
    every one. So faults come mixed with good answers, as from a provider that works. Throttling ends: an image waits
    for as long as it is throttled.
    """
    dice = Random(f"{seed} {number}")
    if dice.random() >= faulty or (attempt > 0 and dice.random() < 2 / 3):
        return _good(Random(f"{seed} {number} {attempt}"), data_id)
    if attempt == 0:
        dice.random()  # the same draw as at later attempts, so that the kind stays the same
    make = dice.choices(_KINDS, _WEIGHTS)[0]
    made = make(dice, data_id)
    throttles = make is _throttled or b'ode": 403' in made.body  # by chance, in a document that was changed
    if throttles and attempt > _THROTTLED:
        return _good(Random(f"{seed} {number} {attempt}"), data_id)
    return made


def certain_pass(status: int, body: bytes, data_id: str) -> bool:
    """Whether an answer says that the image is harmless, and nothing in it can be read otherwise."""
    try:
        answer = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    if not 200 <= status < 300 or not isinstance(answer, dict):
        return False
    code = answer.get("Code", answer.get("code"))
    data = answer.get("Data", answer.get("data"))
    if code != 200 or isinstance(code, bool) or not isinstance(data, dict):
        return False
    result = data.get("Result")
    if data.get("DataId") not in (None, "", data_id) or not isinstance(result, list) or not result:
        return False
    levels = [data.get("RiskLevel")]
    for finding in result:
        if not isinstance(finding, dict) or not isinstance(finding.get("Label"), str):
            return False
        confidence = finding.get("Confidence")
        if confidence is not None and (
            isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 100
        ):
            return False
        allowed = finding["Label"] in ("nonLabel", "nonLabel_lib")
        levels.append("none" if allowed else finding.get("RiskLevel", levels[0]))
    return all(level in ("none", "low") for level in levels)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise ValueError("a member stands twice, and says two things")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no number")


def _document(data_id: str, level: str = "none", label: str | None = None) -> dict[str, Any]:
    label = label or ("nonLabel" if level == "none" else "violent_explosion")
    finding: dict[str, Any] = {"Label": label, "RiskLevel": level, "Description": "may change"}
    if level != "none":
        finding["Confidence"] = 81.5
    data = {"DataId": data_id, "RiskLevel": level, "Result": [finding]}
    return {"RequestId": "00000000-0000-4000-8000-000000000001", "Code": 200, "Msg": "OK", "Data": data}


def _head(length: int | None, status: int = 200, *headers: tuple[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", *(f"{n}: {v}" for n, v in headers)]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _whole(
    kind: str, data_id: str, body: bytes, status: int = 200, *headers: tuple[str, str], packed: bytes | None = None
) -> Sent:
    wire = body if packed is None else packed
    return Sent(kind, _head(len(wire), status, *headers), wire, harmless=certain_pass(status, body, data_id))


def _bytes(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _good(dice: Random, data_id: str) -> Sent:
    level = dice.choice(("none", "none", "none", "low", "medium", "high"))
    body = _bytes(_document(data_id, level))
    match dice.randrange(6):
        case 0:
            return _whole("good", data_id, body, 200, ("Content-Encoding", "gzip"), packed=gzip.compress(body))
        case 1:
            return _whole("good", data_id, body, 200, ("Content-Encoding", "deflate"), packed=zlib.compress(body))
        case 2:
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:50], body[50:])) + b"0\r\n\r\n"
            head = _head(None, 200, ("Transfer-Encoding", "chunked"))
            return Sent("good", head, chunks, harmless=certain_pass(200, body, data_id))
    return _whole("good", data_id, body)


_NASTY: Sequence[Any] = (
    None, True, False, 0, -1, 200, 403, 2**63, 10**30, 1e308, "", "none", "NONE", "high", "unheard", "200",
    "x" * 300_000,
    [], {}, [None], [[]], {"a": {}}, "\ud800", "nonLabel", "nonLabel_lib", ["none"], float("nan"), float("inf"),
    100.0001,
)  # fmt: skip


def _changed(dice: Random, data_id: str) -> Sent:
    document = _document(data_id, dice.choice(("none", "none", "medium")))
    for _ in range(dice.choice((1, 1, 2))):
        holder, step = dice.choice(_places(document))
        match dice.randrange(4):
            case 0:
                del holder[step]
            case 1 if isinstance(holder, dict):
                holder[dice.choice((str(step).lower(), f"{step}s", ""))] = holder.pop(step)
            case _:
                holder[step] = deepcopy(dice.choice(_NASTY))
    return _whole("changed", data_id, _bytes(document))


def _places(document: Any) -> list[tuple[Any, Any]]:
    steps = document.items() if isinstance(document, dict) else enumerate(document)
    found = []
    for step, child in list(steps):
        found.append((document, step))
        if isinstance(child, dict | list):
            found += _places(child)
    return found or [({"": 0}, "")]


def _coded(dice: Random, data_id: str) -> Sent:
    code = dice.choice(
        (400, 401, 402, 404, 405, 406, 407, 500, 580, 591, 0, -1, 201, 99999, "500", None, True, 200.0, "200")
    )
    document = {**_document(data_id), "Code": code} if dice.random() < 0.5 else {"Code": code, "Msg": "x"}
    return _whole("code", data_id, _bytes(document))


def _status(dice: Random, data_id: str) -> Sent:
    status = dice.choice(
        (201, 202, 204, 206, 300, 301, 302, 304, 307, 400, 404, 406, 413, 418, 500, 502, 503, 504, 599, 999)
    )
    words = ("InternalError", "ServiceUnavailable", "Unheard", "MissingParameter", "InvalidParameter", "", "X" * 5000)
    body = _bytes(_document(data_id)) if dice.random() < 0.4 else _bytes({"Code": dice.choice(words), "Message": "<b>"})
    headers = [("Location", "/")] if status in (300, 301, 302, 307) else []
    if status in (204, 304):
        return Sent("status", _head(None, status, *headers))
    return _whole("status", data_id, body, status, *headers)


def _no_json(dice: Random, data_id: str) -> Sent:
    good = _bytes(_document(data_id))
    body = dice.choice(
        (
            b"", b" ", b"null", b"[]", b"<html>gateway</html>", b"\xff\xfe" + good, good.decode().encode("utf-16"),
            b"\xef\xbb\xbf" + good, good[:-1], good + good, good.replace(b'"nonLabel"', b"nonLabel"), b"[" * 100_000,
            b'{"Code":200,' + good[1:], good[:-1] + b',"Code":500}', dice.randbytes(300), good.replace(b":",
            b": \x00", 1),
            b'{"Data":' * 3_000 + b"1" + b"}" * 3_000,
        )
    )  # fmt: skip
    return _whole("no json", data_id, body)


def _encoding(dice: Random, data_id: str) -> Sent:
    good = _bytes(_document(data_id))
    name = dice.choice(("gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", "x-unheard", "gzip;q=1", "\xff"))
    packed = dice.choice(
        (good, gzip.compress(good), gzip.compress(good)[:-9], zlib.compress(good)[2:], dice.randbytes(200), b"",
         gzip.compress(good) + b"junk", bytes(cramjam.brotli.compress(good)), bytes(cramjam.zstd.compress(good)),
         gzip.compress(gzip.compress(good)))
    )  # fmt: skip
    # Whoever can read it may pass the image: it says so, however it is packed.
    head = _head(len(packed), 200, ("Content-Encoding", name))
    return Sent("encoding", head, packed, harmless=packed != b"" and certain_pass(200, good, data_id))


def _bomb(dice: Random, data_id: str) -> Sent:
    size = dice.choice((4, 40, 80)) * MIB
    padded = b" " * size + _bytes(_document(data_id)) if dice.random() < 0.5 else b"[" + b'"a",' * (size // 4)
    name = dice.choice(("gzip", "deflate", "br", "zstd"))
    packed = _packed(name, padded)
    return Sent("bomb", _head(len(packed), 200, ("Content-Encoding", name)), packed, harmless=False)


def _packed(name: str, data: bytes) -> bytes:
    match name:
        case "gzip":
            return gzip.compress(data, 1)
        case "deflate":
            return zlib.compress(data, 1)
        case "br":
            return bytes(cramjam.brotli.compress(data, 1))
    return bytes(cramjam.zstd.compress(data))


def _large(dice: Random, data_id: str) -> Sent:
    document = _document(data_id, "medium")
    data = document["Data"]
    match dice.randrange(5):
        case 0:
            data["Result"] *= dice.choice((200, 6_000))
        case 1:
            data["Result"][0]["Label"] = "l" * dice.choice((2_000, 600_000))
        case 2:
            document["RequestId"] = "r" * 600_000
        case 3:
            data["RiskLevel"] = "v" * 600_000
        case 4:
            data["Ext"] = {
                "CustomImage": [{"LibId": f"{n}" * 50, "ImageId": "1"} for n in range(5_000)],
                "LogoData": [{"Logo": [{"Label": f"logo{n}"}]} for n in range(5_000)],
                "TextInImage": {"OcrResult": [{"Text": "t" * 1000}] * 500, "RiskWord": ["w"] * 9000},
                "PublicFigure": [{"FigureName": f"f{n}"} for n in range(5_000)],
            }
    return _whole("large", data_id, _bytes(document))


def _endless(dice: Random, data_id: str) -> Sent:
    start = _bytes(_document(data_id))[:-1] if dice.random() < 0.5 else b""
    head = dice.choice((_head(None), _head(2**40), _head(None, 500)))
    return Sent("endless", head, start + _ENDLESS_CHUNK, endless=True, keeps=False)


def _broken(dice: Random, data_id: str) -> Sent:
    """Cut within the head or the body, or with a length that is not true."""
    body = _bytes(_document(data_id))
    match dice.randrange(5):
        case 0:
            head = _head(len(body))
            return Sent("broken", head, body, breaks_at=dice.randrange(len(head) + len(body)), keeps=False)
        case 1:
            return Sent("broken", _head(len(body) + 10), body, breaks_at=10**9, keeps=False)
        case 2:
            return Sent("broken", _head(len(body) - 5), body, keeps=False)
        case 3:
            chunks = b"%x\r\n%s\r\n" % (len(body), body) + dice.choice((b"", b"zz\r\n", b"-1\r\n", b"f" * 40 + b"\r\n"))
            return Sent(
                "broken", _head(None, 200, ("Transfer-Encoding", "chunked")), chunks, breaks_at=10**9, keeps=False
            )
    return Sent("broken", b"", b"", breaks_at=0, keeps=False)


def _no_http(dice: Random, data_id: str) -> Sent:
    good = _bytes(_document(data_id))
    length = b"Content-Length: %d\r\n" % len(good)
    head = dice.choice(
        (
            b"\x16\x03\x01\x02\x00", b"garbage\r\n\r\n", b"HTTP/9.9 200 OK\r\n" + length + b"\r\n",
            b"HTTP/1.1 abc OK\r\n" + length + b"\r\n",
            b"HTTP/1.1 200 OK\r\nX-Y: " + b"a" * 100_000 + b"\r\n" + length + b"\r\n",
            b"HTTP/1.1 200 OK\r\nBad Header\r\n" + length + b"\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000 + b"\r\n",
        )
    )  # fmt: skip
    return Sent("no http", head, good, breaks_at=10**9, keeps=False, harmless=True)


def _drip(dice: Random, data_id: str) -> Sent:
    body = _bytes(_document(data_id))
    pause = dice.choice((0.001, 0.05))
    return Sent("drip", _head(len(body)), body, drip=pause, harmless=certain_pass(200, body, data_id))


def _refused(dice: Random, data_id: str) -> Sent:
    word = dice.choice(("InvalidAccessKeyId.NotFound", "SignatureDoesNotMatch", "Forbidden.RAM", "NoPermission",
                        "InvalidTimeStamp.Expired", "SignatureNonceUsed", "InvalidSecurityToken.Expired"))  # fmt: skip
    return _whole("account", data_id, _bytes({"Code": word, "Message": "x"}), dice.choice((400, 403, 404)))


def _throttled(dice: Random, data_id: str) -> Sent:
    hint = dice.choice(("1", "50", "-1", "abc", "1e9", "", "0x10", "١٢"))
    body = dice.choice((_bytes({"Code": 403}), _bytes({"Code": "Throttling.User", "Message": "x"})))
    return _whole("throttle", data_id, body, dice.choice((200, 429, 503)), ("x-acs-retry-after", _latin(hint)))


def _latin(text: str) -> str:
    return text if text.isascii() else text.encode().decode("latin-1")


_MADE: Sequence[tuple[Callable[[Random, str], Sent], float]] = (
    (_changed, 26), (_coded, 10), (_status, 8), (_no_json, 12), (_encoding, 10), (_large, 6), (_broken, 8), (_no_http,
    6),
    (_drip, 2), (_refused, 1), (_throttled, 0.3), (_bomb, 1.0), (_endless, 0.7),
)  # fmt: skip
_KINDS = [make for make, _ in _MADE]
_WEIGHTS = [weight for _, weight in _MADE]
