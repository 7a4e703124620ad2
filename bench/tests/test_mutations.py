"""
The faults that `bench.mutations` puts into the core can be put there.
"""

import ast
from collections import Counter

import pytest

from bench.mutations import FAULTS, ROOT, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.file}: {fault.before}")
def test_each_fault_fits_the_code_as_it_is(fault: Fault) -> None:
    """
    What it replaces stands once in its file, which is Python with it as well; the tests that are to find it are there.
    """
    text = (ROOT / "consumer" / fault.file).read_text()
    assert text.count(fault.before) == 1
    ast.parse(text.replace(fault.before, fault.after))
    assert not [path for path in fault.tests.split() if not (ROOT / path).exists()]


def test_no_fault_is_put_in_twice() -> None:
    """
    Each change of each file is there once.
    """
    changes = Counter((fault.file, fault.before, fault.after) for fault in FAULTS)
    assert not [change for change, times in changes.items() if times > 1]
