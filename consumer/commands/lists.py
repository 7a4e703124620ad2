"""Lists that are given as files, one thing a line. Pure."""

from collections.abc import Iterable, Iterator

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def written_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """
    Yield the lines of a file on which something is written, without their ends, each with its number from 1.

    A byte order mark at the beginning, and the end of Windows' lines, do not count.
    """
    for number, line in enumerate(lines, 1):
        text = line.removesuffix(b"\n").removesuffix(b"\r")
        text = text.removeprefix(_BYTE_ORDER_MARK) if number == 1 else text
        if text.strip():
            yield number, text
