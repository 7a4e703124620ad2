"""
Pictures out of files, by Pillow. Only a worker imports this.

Pillow is told which format a file is, so that no other of its readers sees it; what it cannot read whole is refused.
"""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO

from PIL import AvifImagePlugin, Image, ImageFile, JpegImagePlugin, MpoImagePlugin

from consumer.images.frames import MOST_FRAMES, chosen, count_of
from consumer.images.preparing import Job, NotPrepared, Picture, Prepared
from consumer.vendor_facts.images import judged_picture

_READERS: Mapping[str, tuple[str, ...]] = {
    "png": ("PNG",), "jpeg": ("JPEG",), "gif": ("GIF",), "webp": ("WEBP",), "bmp": ("BMP",), "tiff": ("TIFF",),
    "ico": ("ICO",), "heif": ("HEIF",), "avif": ("AVIF",), "jp2": ("JPEG2000",), "psd": ("PSD",),
}  # fmt: skip
_QUALITY, _COARSER = 95, 80  # the second where the first takes too many bytes
_MOST_TRIES = 6
_DRAFTS = (1, 2, 4, 8)  # parts of its sides that a JPEG can be decoded at
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_ORIENTATION = 0x0112  # EXIF's tag
_SIXTEEN_BITS = 65_535


def set_up() -> None:
    """Have Pillow ready for a process that does nothing else, and can open no file from now on."""
    Image.init()
    with contextlib.suppress(ImportError):  # an extra of its own
        import pillow_heif

        pillow_heif.register_heif_opener()
        pillow_heif.options.DECODE_THREADS = 1
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)


def prepared(data: bytes, job: Job) -> Prepared:
    """
    Do a job.

    Raises:
        NotPrepared: why not.
        MemoryError: it takes more than there is.
    """
    # A JPEG can be decoded at an eighth of its sides.
    Image.MAX_IMAGE_PIXELS = job.most_decoded * (_DRAFTS[-1] ** 2 if job.format_name == "jpeg" else 1)
    try:
        return _prepared(data, job)
    except (NotPrepared, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotPrepared("too_many_pixels") from None
    except Exception:  # noqa: BLE001 — Pillow's readers raise whatever a broken file leads them to
        raise NotPrepared("undecodable") from None


def _prepared(data: bytes, job: Job) -> Prepared:
    if job.as_it_is and not _is_read(job.format_name):
        return Prepared(pictures=(), frames=None, scaled=False)
    count, is_exact = _counted(data, job.format_name)
    frames = count if is_exact else None
    if job.as_it_is and count == 1:
        return Prepared(pictures=(), frames=frames, scaled=False)
    taken = chosen(count, job.frames, judged=judged_picture(job.format_name, count))
    pictures, scaled, left = [], False, job.most_prepared
    for nth, (frame, image) in enumerate(zip(taken, _frames(data, job.format_name, taken), strict=True)):
        plain, is_smaller = _within_bounds(image, job)
        most_bytes = min(job.most_bytes, left // (len(taken) - nth))  # what one leaves is for those behind it
        content, format_name, is_smaller_yet = _encoded(plain, most_bytes, job)
        left -= len(content)
        pictures.append(Picture(content, format_name, None if frames == 1 else frame))
        scaled = scaled or is_smaller or is_smaller_yet
    return Prepared(pictures=tuple(pictures), frames=frames, scaled=scaled)


def _is_read(format_name: str) -> bool:
    """Whether there is a decoder: that of HEIF is an extra of its own."""
    return any(reader in Image.OPEN for reader in _READERS[format_name])


def _opened(data: bytes, format_name: str) -> ImageFile.ImageFile:
    if not _is_read(format_name):
        raise NotPrepared("no_decoder")
    return Image.open(BytesIO(data), formats=_READERS[format_name])


def _counted(data: bytes, format_name: str) -> tuple[int, bool]:
    """How many frames there are, at most `MOST_FRAMES`, and whether these are all."""
    found = count_of(data, format_name)
    if found is not None:
        return min(found, MOST_FRAMES), found <= MOST_FRAMES
    if format_name == "ico":
        raise NotPrepared("undecodable")
    with _opened(data, format_name) as image:
        if format_name in ("avif", "heif", "jpeg"):
            # Of sequences of HEIF only the still pictures are read, and a damaged index of a JPEG's is not.
            count = getattr(image, "n_frames", 1)
            is_exact = format_name == "avif" or isinstance(image, MpoImagePlugin.MpoImageFile)
            return min(count, MOST_FRAMES), is_exact and count <= MOST_FRAMES
        if format_name in ("jp2", "psd"):
            return 1, format_name == "jp2"  # of layers nobody sees more than what they make together
        count = 1
        while count < MOST_FRAMES:
            try:
                image.seek(count)
            except EOFError:
                return count, True
            count += 1
        return count, False


def _frames(data: bytes, format_name: str, taken: tuple[int, ...]) -> Iterator[ImageFile.ImageFile]:
    """Frames of a file, each ready to be decoded."""
    if format_name == "ico":
        for frame in taken:
            with _opened(_icon(data, frame), "ico") as image:
                yield image
        return
    with _opened(data, format_name) as image:
        for frame in taken:
            if frame:
                image.seek(frame)
            yield image


def _icon(data: bytes, nth: int) -> bytes:
    """One image of an ICO file, as a file of its own: Pillow sorts them by size, and has no numbers for them."""
    entry = data[6 + 16 * nth : 22 + 16 * nth]
    size, at = int.from_bytes(entry[8:12], "little"), int.from_bytes(entry[12:16], "little")
    return b"\x00\x00\x01\x00\x01\x00" + entry[:12] + (22).to_bytes(4, "little") + data[at : at + size]


def _within_bounds(image: ImageFile.ImageFile, job: Job) -> tuple[Image.Image, bool]:
    """A frame, decoded, upright and in a mode that is written; and whether it was made smaller."""
    width, height = image.size
    is_smaller = width * height > job.most_decoded and _drafted(image, job)
    if image.size[0] * image.size[1] > job.most_decoded:
        raise NotPrepared("too_many_pixels")
    image.load()
    if image.size[0] * image.size[1] > job.most_decoded:
        raise NotPrepared("too_many_pixels")
    plain = _upright(_plain(image), image)
    share = min(1.0, job.most_side / max(plain.size), math.sqrt(job.most_pixels / (plain.size[0] * plain.size[1])))
    if share == 1.0:
        return plain, is_smaller
    if not job.scales:
        raise NotPrepared("side_too_long" if job.most_side < max(plain.size) else "too_many_pixels")
    return _smaller(plain, share), True


def _drafted(image: ImageFile.ImageFile, job: Job) -> bool:
    """Have a JPEG decoded at a part of its size, where it may be made smaller; tell whether that was done."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or not job.scales:
        return False
    width, height = image.size
    part = next((each for each in _DRAFTS if width * height <= job.most_decoded * each**2), _DRAFTS[-1])
    image.draft(image.mode, (max(1, width // part), max(1, height // part)))
    return image.size != (width, height)


def _smaller(image: Image.Image, share: float) -> Image.Image:
    width, height = (max(1, int(side * share)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _upright(plain: Image.Image, image: ImageFile.ImageFile) -> Image.Image:
    try:
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION, 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 — damaged EXIF says nothing, as for viewers
        return plain
    return plain if turn is None else plain.transpose(turn)


def _plain(image: Image.Image) -> Image.Image:
    """The same in L, RGB or RGBA: what is transparent stays so, and what has more than 8 bits keeps its upper ones."""
    if image.mode.startswith("I"):  # of 16 bits, or of 32, of which most use 16
        whole = image.convert("I")
        least, most = _extrema(whole)
        return _eight_bits(whole, min(0.0, least), max(float(_SIXTEEN_BITS), most))
    if image.mode == "F":
        return _eight_bits(image, *_extrema(image))
    if image.has_transparency_data:
        transparent = image.convert("RGBA")
        if transparent.getchannel("A").getextrema() != (255, 255):
            return transparent
        return transparent.convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")


def _extrema(image: Image.Image) -> tuple[float, float]:
    least, most = image.getextrema()
    if not (isinstance(least, int | float) and isinstance(most, int | float) and math.isfinite(most - least)):
        raise NotPrepared("undecodable")
    return float(least), float(most)


def _eight_bits(image: Image.Image, least: float, most: float) -> Image.Image:
    share = 255 / ((most - least) or 1.0)
    moved: Callable[[float], float] = lambda value: value * share + -least * share  # noqa: E731 — read by Pillow
    return image.point(moved).convert("L")


def _encoded(image: Image.Image, most_bytes: int, job: Job) -> tuple[bytes, str, bool]:
    """A picture as a file of at most so many bytes, its format, and whether it was made smaller for that."""
    format_name = "png" if image.mode == "RGBA" else "jpeg"
    smaller = image
    for _ in range(_MOST_TRIES):
        for fine in (True, False) if format_name == "jpeg" else (True,):
            content = _written(smaller, format_name, fine=fine)
            if len(content) <= most_bytes:
                return content, format_name, smaller is not image
        if not job.scales:
            break
        smaller = _smaller(smaller, 0.9 * math.sqrt(most_bytes / len(content)))
    raise NotPrepared("too_large")


def _written(image: Image.Image, format_name: str, *, fine: bool) -> bytes:
    file = BytesIO()
    if format_name == "png":
        image.save(file, "PNG", compress_level=3)
    elif fine:
        image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    else:
        image.save(file, "JPEG", quality=_COARSER)
    return file.getvalue()
