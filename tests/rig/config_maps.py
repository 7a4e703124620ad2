"""A folder as kubelet mounts a configuration map, and changes it: all files at once, by the turn of one link."""

import os
import shutil
from dataclasses import dataclass
from itertools import count
from pathlib import Path

_REVISIONS = count(1)


@dataclass(frozen=True, slots=True)
class ConfigMap:
    """
    The mounted folder. Its files are links through `..data`, which is a link to the folder of one revision:

        policy.yaml ─► ..data/policy.yaml          ..data ─► ..2026_11_27_20_49.7
    """

    folder: Path

    def put(self, **texts: str) -> None:
        """Have these files from now on, by name with `_` for `.`, and no others."""
        files = {name.replace("_", "."): text for name, text in texts.items()}
        revision = self.folder / f"..2026_11_27_20_49.{next(_REVISIONS)}"
        revision.mkdir(parents=True)
        for name, text in files.items():
            (revision / name).write_text(text)
        data, turned = self.folder / "..data", self.folder / "..data_tmp"
        before = data.resolve() if data.is_symlink() else None
        turned.symlink_to(revision.name)
        os.rename(turned, data)
        for name in files:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        for link in self.folder.glob("[!.]*"):
            if link.name not in files:
                link.unlink()
        if before is not None:
            shutil.rmtree(before)
