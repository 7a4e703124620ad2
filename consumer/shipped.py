"""The files that come with a release: configuration, policy, schemas. In a checkout they are in config/."""

from pathlib import Path

from consumer.errors import Misconfigured

_IN_A_WHEEL = Path(__file__).with_name("shipped_files")
_IN_A_CHECKOUT = Path(__file__).parents[1] / "config"


def shipped(name: str) -> Path:
    """Return the path of a file by its name in config/. `Misconfigured` escapes where the release was built without."""
    path = (_IN_A_WHEEL if _IN_A_WHEEL.is_dir() else _IN_A_CHECKOUT) / name
    if not path.exists():
        raise Misconfigured([f"{path}: does not exist; this release was built without it"])
    return path


def file_or_shipped(path: Path) -> Path:
    """Return a path such as config/demo.yaml where a file is there, seen from here, and else the release's own."""
    return path if path.is_file() else shipped(path.name)
