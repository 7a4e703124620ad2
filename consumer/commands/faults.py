"""What is said of an error that nobody expected: which one and where, without its text, which may hold a credential."""

from consumer.observability.tracebacks import frames_of

UNEXPECTED = 3
"""The exit status: neither a failure that has a name, nor a wrong use."""


def innermost(error: Exception) -> Exception:
    """The first error of a group of them, which several tasks raise together."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def in_a_line(error: Exception) -> str:
    """Its class, where it was raised, and what to do about it."""
    places = [each.strip() for each in frames_of(error) if each.startswith(" ")]
    where = places[-1] if places else "an unknown place"
    return (
        f"unexpected error: {type(error).__name__} at {where}. This is a fault of moderation-consumer: please report "
        "this line where you have it from, with the version (--version) and what you asked for, without keys"
    )
