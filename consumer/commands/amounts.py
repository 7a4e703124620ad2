"""Amounts in words: calls, what they cost, how long something takes. Pure."""


def calls(count: int) -> str:
    """A number of calls, in words."""
    return f"{count:,} call{'' if count == 1 else 's'}"


def cost(billed: int, price: float | None) -> str:
    """What calls cost at a price a thousand, as it stands behind their number; empty without a price."""
    return "" if price is None else f" = {billed * price / 1000:,.2f}"


def duration(seconds: float) -> str:
    """A time in words: `1 h 5 min`, `2 min 3 s`, `4 s`."""
    whole = round(seconds)
    if not whole:
        return "less than a second"
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
