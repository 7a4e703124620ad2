"""What a fault does to a call. Pure, but for the dice of garbage; which fault strikes is faults.py's."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from consumer.emulator.errors import GatewayError, StoreError
from consumer.emulator.faults import ActiveFault, Throttle, What
from consumer.emulator.replies import Reply, Silence
from consumer.emulator.signatures import SignedRequest, canonical_request, signature_mismatch


def in_place_of_gateway(what: What, request: SignedRequest) -> Silence:
    """
    What the client meets where the gateway would have been.

    Raises: GatewayError, for a refusal.
    """
    if what.never_answer:
        return Silence(held=True, code="NeverAnswered")
    if what.drop:
        return dropped()
    if what.signature_refused:
        raise signature_mismatch(canonical_request(request, ("host",)))
    if what.throttle:
        raise _throttling(what.throttle, what)
    raise GatewayError(
        what.http_status or 400, what.gateway_code or "", "A fault of the emulator.", headers=what.headers
    )


def in_place_of_store(what: What) -> Silence:
    """
    What an upload meets where the store would have been.

    Raises: StoreError, for a refusal.
    """
    if what.store_code:
        raise StoreError(what.store_code.http_status, what.store_code.code, "A fault of the emulator.")
    return Silence(held=True, code="NeverAnswered") if what.never_answer else dropped()


def spoiled(reply: Reply, fault: ActiveFault) -> Reply | Silence:
    """What is left of an answer of the service or the store on its way to the client."""
    what = fault.what
    if what.drop:
        return replace(dropped(), code=reply.code, billed=reply.billed)
    if what.slow_drip:
        return replace(reply, trickle=what.slow_drip)
    if what.garbage:
        # No UTF-8 text begins with 0xFF, so this is never JSON.
        return _replaced(reply, what, b"\xff" + fault.dice.randbytes(63), "Garbage")
    if what.body is not None:
        return _replaced(reply, what, what.body.encode(), "Body")
    return reply


def misleading(entry: Mapping[str, Any], kind: str | None) -> list[dict[str, Any]]:
    """What an answer of the 1.0 API says of one image, in place of its entry."""
    match kind:
        case "missing":
            return []
        case "twice":
            return [dict(entry), dict(entry)]
        case "of_another":
            return [{**entry, "dataId": "of-another"}]
        case "unnamed":
            return [{name: value for name, value in entry.items() if name != "dataId"}]
        case "unknown_suggestion":
            return [{**entry, "results": [{**each, "suggestion": "unknown"} for each in entry.get("results", ())]}]
    return [dict(entry)]


def dropped() -> Silence:
    """A connection that is cut before anything is charged."""
    return Silence(held=False, code="Dropped")


def _throttling(throttle: Throttle, what: What) -> GatewayError:
    headers = dict(what.headers)
    if throttle.retry_after is not None:
        headers["x-acs-retry-after"] = str(round(throttle.retry_after * 1000))  # Vendor: in milliseconds
    message = "Request was denied due to user flow control."
    return GatewayError(throttle.http_status, throttle.code, message, headers=headers)


def _replaced(reply: Reply, what: What, body: bytes, code: str) -> Reply:
    status = what.http_status or 200
    return replace(
        reply,
        http_status=status,
        headers={**reply.headers, **what.headers},
        body=body,
        code=code,
        billed=reply.billed and status == 200,
    )
