"""
The Makefile, read: what its environments are filled with.
"""

import re

from tests.deployment.compose import ROOT

INSTALLS = re.findall(r"^\t@(\$\(PIP\) .*|.* pip install .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_environment_is_filled_by_hashes() -> None:
    """
    What pip fetches has its hash in a lock; our own package is built by what is installed, and fetches nothing.
    """
    own = "$(PIP) install --no-index --no-deps --no-build-isolation -e ."
    locked = [each for each in INSTALLS if each != own]
    locks = {lock for each in locked for lock in re.findall(r"-r (\S+)", each)}

    assert INSTALLS.count(own) == 2
    assert all(each.startswith("$(PIP) install --require-hashes -r ") for each in locked)
    assert locks == {f"locks/{name}.txt" for name in ("bench", "build", "chaos", "demo", "dev", "lock")}


def test_every_lock_is_renewed_and_has_hashes() -> None:
    """
    `make lock` writes each file of locks/, with the hashes of every package.
    """
    written = re.findall(r"-o (locks/\S+)", (ROOT / "Makefile").read_text())
    packages = re.compile(r"^\S+==[^\n]*\n(.*)", re.MULTILINE)

    assert sorted(written) == sorted(f"locks/{path.name}" for path in (ROOT / "locks").iterdir())
    for lock in written:
        following = packages.findall((ROOT / lock).read_text())
        assert following
        assert all("--hash=sha256:" in line for line in following), lock
