"""
What the rest of the service asks about a vendor, whichever it is. A vendor's own module fills these values in, and
`consumer/config/provider.py` hands out those of the API that is asked.
"""

from typing import NamedTuple


class OnlyService(NamedTuple):
    """
    An API without services to choose from: everything is asked by this one, and a policy's `services` and `info` are
    for another API.
    """

    name: str  # of the one service, as policies and verdicts have it, and of the API in `provider.api`
    never_tells: tuple[str, ...]  # conditions of a rule's `match` that none of its answers can meet


class OwnStore(NamedTuple):
    """A store that the vendor reads itself, without a key of ours: what is bound by `via: oss`."""

    name: str
    role: str  # that the account must grant
    regions: tuple[str, ...]
