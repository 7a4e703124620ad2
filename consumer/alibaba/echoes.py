"""
Whether a service names the image that an answer is about, learned from its answers. A value, without I/O.

Vendor: its own examples leave `DataId` empty, so nobody can require it from the first answer on. A service that has
named the image so often in a row always does, and then an answer without the name is not that service's.
"""

ENOUGH = 20  # answers in a row


class LearnedEchoes:
    """What one region's services have shown. It is never unlearned: else one who forges answers could have it so."""

    def __init__(self) -> None:
        self._in_a_row: dict[str, int] = {}  # by service; stays once it is enough

    def accept(self, service: str, *, named: bool) -> bool:
        """Note whether an answer named its image, and say whether it may be believed."""
        in_a_row = self._in_a_row.get(service, 0)
        if in_a_row >= ENOUGH:
            return named
        self._in_a_row[service] = in_a_row + 1 if named else 0
        return True
