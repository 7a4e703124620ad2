"""
Images that are not uploaded as they are: frames taken out of them, converted, made smaller.

    a file ──► plan.py: as it is, refused, or a job ──► a worker process decodes it ──► pictures, each a file of its own

What strangers send is decoded in processes that have no secrets, no files and no more than some memory and time. Only
the file's bytes and a job go in, and only bytes, numbers and words of ours come out.
"""

from dataclasses import dataclass, field

from consumer.vendor_facts.images import MOST_BYTES

MOST_MADE = MOST_BYTES
"""Bytes of all pictures that are made of one file: one may be as large as the provider takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be made of a file, and within which bounds. Bounds are each picture's, but for `most_prepared`."""

    format_name: str  # as `formats.format_of` has it
    frames: int = 1  # that are taken at the most, spread over the file
    scales: bool = False  # whether a picture may be made smaller; one that must be is refused otherwise
    as_it_is: bool = False  # whether nothing is made of a file that has only one picture, or that nothing here reads
    most_decoded: int = 50_000_000  # pixels
    most_pixels: int
    most_side: int  # pixels
    most_bytes: int
    most_prepared: int = MOST_MADE


@dataclass(frozen=True, slots=True)
class Picture:
    """What is uploaded: an image file."""

    data: bytes = field(repr=False)
    format_name: str
    frame: int | None = None  # which of a file's, from 0; None for the file itself, or its only one


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was made of a file."""

    pictures: tuple[Picture, ...]  # none where the file is uploaded as it is
    frames: int | None  # that there are; None where that is more than are counted, or cannot be told
    scaled: bool  # whether a picture was made smaller


class NotPrepared(Exception):
    """
    Nothing can be made of a file. `code` is a short stable word.

        refused           too_large, side_too_long, too_many_pixels
        not decoded       no_decoder, undecodable, decode_timeout, decode_memory, decoder_died
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class WorkerNotStarted(Exception):
    """A worker could not be started, which is no image's fault."""
