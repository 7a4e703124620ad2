"""
Which overlays are about a tenant and a purpose, and what is asked for them. Pure.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import TypeVar

from consumer.policy.language import Overlay
from consumer.records import Asked

Value = TypeVar("Value")
Laid = tuple[int, ...]
"""Places of overlays that are laid over each other, the most specific first."""


class OverlayIndex:
    """Finds the overlays for a tenant and purpose."""

    def __init__(self, overlays: Sequence[Overlay]) -> None:
        # None stands for any tenant, or purpose.
        self._at: dict[tuple[str | None, str | None], int] = {}
        for at, overlay in enumerate(overlays):
            when = overlay.when
            self._at |= dict.fromkeys(product(when.tenant or [None], when.purpose or [None]), at)

    def of(self, tenant: str, purpose: str) -> Laid:
        """Tenant and purpose before tenant before purpose."""
        found = (self._at.get((tenant, purpose)), self._at.get((tenant, None)), self._at.get((None, purpose)))
        return tuple(at for at in found if at is not None)

    def all(self) -> Iterator[Laid]:
        """Each combination that some tenant and purpose have, once; of those that no overlay names there are others."""
        tenants = {tenant for tenant, _ in self._at if tenant is not None}
        purposes = {purpose for _, purpose in self._at if purpose is not None}
        anyone, anything = (max(names, key=len, default="") + "x" for names in (tenants, purposes))
        named = product([anyone, *sorted(tenants)], [anything, *sorted(purposes)])
        yield from dict.fromkeys(self.of(*each) for each in named)


def first(values: Sequence[Value | None], default: Value) -> Value:
    """Return what the most specific overlay says, else what the policy does."""
    return next((value for value in values if value is not None), default)


def asked_of(asked: Asked, overlays: Sequence[Overlay]) -> Asked:
    """Return what is asked by a policy that asks for this, with overlays laid over it, the most specific first."""
    return Asked(
        first([overlay.services for overlay in overlays], asked.services),
        first([overlay.info for overlay in overlays], asked.info),
    )
