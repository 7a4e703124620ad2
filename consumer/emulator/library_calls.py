"""
Calls about the account's libraries: gateway, quota, operation, answer.

Signed with ACS3 or RPC v1, as GET or POST. The emulator answers them in every region; the vendor has them in
cn-shanghai alone.

Vendor: 10 calls a second of each operation; more are throttled.
"""

import asyncio
import time
from collections import defaultdict
from functools import partial
from typing import Final

from consumer.emulator.breakage import in_place_of_gateway, spoiled
from consumer.emulator.calls import Call
from consumer.emulator.errors import GatewayError
from consumer.emulator.faults import Faults, Moment, Subject
from consumer.emulator.libraries import LibraryStore
from consumer.emulator.library_operations import VERSION, action_of, parameters_of, perform, version_of
from consumer.emulator.quota import SlidingQuota
from consumer.emulator.replies import Reply, Silence, gateway_reply, library_refusal, library_reply
from consumer.emulator.rpc_signatures import is_rpc, verify_rpc
from consumer.emulator.settings import EmulatorSettings
from consumer.emulator.signatures import Credentials, NonceLedger, SignedRequest, verify

_RETRY_AFTER: Final = "200"
"""Milliseconds that a throttled call is told to wait."""


class LibraryCalls:
    """Answers the calls of version 2017-08-23."""

    def __init__(
        self,
        settings: EmulatorSettings,
        store: LibraryStore,
        faults: Faults,
        credentials: Credentials,
        nonces: NonceLedger,
    ) -> None:
        self._store = store
        self._faults = faults
        self._credentials = credentials
        self._clock_ahead = settings.clock_ahead
        self._nonces = nonces
        self._quotas: defaultdict[str, SlidingQuota] = defaultdict(partial(SlidingQuota, settings.library_qps))

    def takes(self, request: SignedRequest) -> bool:
        """Whether a call is one of this version."""
        return version_of(request) == VERSION

    async def answer(self, request: SignedRequest, call: Call, request_id: str) -> Reply | Silence:
        """Answer one call. Refusals are replies: none escapes."""
        call.action = action_of(request)
        subject = Subject(region=call.region, action=call.action or "")
        try:
            fault = self._faults.draw(Moment.BEFORE_GATEWAY, subject)
            if fault is not None:
                return in_place_of_gateway(fault.what, request)
            self._pass_gateway(request, call)
            fault = self._faults.draw(Moment.INSIDE_QUOTA, subject)
            if fault and fault.what.code is not None:
                return library_refusal(fault.what.code, "a fault of the emulator", request_id)
            reply = library_reply(request_id, perform(self._store, call.action or "", parameters_of(request)))
        except GatewayError as error:
            return gateway_reply(error, request_id, call.host)
        if fault is None:
            return reply
        await asyncio.sleep(fault.what.latency or 0.0)
        return spoiled(reply, fault)

    def _pass_gateway(self, request: SignedRequest, call: Call) -> None:
        check = verify_rpc if is_rpc(request) else verify
        check(request, self._credentials, self._nonces, now=time.time() + self._clock_ahead)
        if not self._quotas[call.action or ""].admit(call.arrival):
            raise GatewayError(
                400,
                "Throttling.User",
                "Request was denied due to user flow control.",
                headers={"x-acs-retry-after": _RETRY_AFTER},
            )
