"""
Where an exception was raised, without its text: that may hold a URL with its user, or a message's bytes.
"""

import traceback
from pathlib import PurePath

MOST_FRAMES = 30
MOST_CAUSES = 4


def frames_of(error: BaseException) -> list[str]:
    """Return the class and the innermost frames of an exception, then those of what caused it. Nothing escapes."""
    lines: list[str] = []
    cause: BaseException | None = error
    for _ in range(MOST_CAUSES):
        if cause is None:
            break
        lines.append(type(cause).__name__)
        for frame, line in list(traceback.walk_tb(cause.__traceback__))[-MOST_FRAMES:]:
            path = PurePath(frame.f_code.co_filename)
            lines.append(f"  {'/'.join(path.parts[-3:])}:{line} {frame.f_code.co_name}")
        cause = cause.__cause__ or cause.__context__
    return lines
