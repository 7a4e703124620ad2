"""
No regular expression of the service's can be made to work for long by what a stranger writes.
"""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import consumer
from consumer.config.bindings import Binding, Include
from consumer.intake.decode.bindings import Place
from consumer.intake.decode.globs import any_of
from consumer.policy.patterns import compiled
from tests.rig.speed import is_quick, repeated

MOST = 0.5  # seconds of the usual machine for one megabyte: a tenth is usual, and quadratic work would take minutes

PIECES = (
    "a", "A", "0", "1.", ".", "..", "/", "//", "/../", "?", "#", "@", ":", "://", "a://", "a@", "%", "%2", "%25", "\\",
    " ", "\t", "\n", "\x00", "é", "\ud800", '"', "'", "-", "*", "a*", "mc1 ", "0x", "image.uploaded.v1", "2026-",
    "00-", "=", ";",
)  # fmt: skip


def _within(name: str, value: Any) -> Iterator[tuple[str, re.Pattern[Any]]]:
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _within(f"{name}[{key}]", each)
    elif isinstance(value, tuple | list):
        for index, each in enumerate(value):
            yield from _within(f"{name}[{index}]", each)


def _found() -> dict[str, re.Pattern[Any]]:
    """Every pattern that a module of the service keeps, by where it is."""
    found: dict[str, re.Pattern[Any]] = {}
    for module in pkgutil.walk_packages(consumer.__path__, "consumer."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            found |= _within(f"{module.name}.{name}", value)
    return found


GLOBS = ("*.jpg", "*a*a*a*a*.jpg", "a/*/b/*/c*.png", "[a-z]*[0-9]*x", "????*?*?*?.gif")
"""As an operator may write them for keys, content types and CloudEvents' types."""
SOURCES = {path: ast.parse(path.read_text()) for folder in consumer.__path__ for path in Path(folder).rglob("*.py")}
"""Every module's syntax, by its file."""


def _validated() -> dict[str, re.Pattern[Any]]:
    """What settings and pages are checked against, by pydantic: `Field(pattern=…)`."""
    texts = {
        each.value.value
        for tree in SOURCES.values()
        for each in ast.walk(tree)
        if isinstance(each, ast.keyword) and each.arg == "pattern" and isinstance(each.value, ast.Constant)
    }
    return {f"pattern={text!r}": re.compile(str(text)) for text in sorted(map(str, texts))}


EXPRESSIONS = _found() | _validated()
MADE_OF_GLOBS = {("globs.py", "any_of"), ("bindings.py", "_globs"), ("patterns.py", "_globs")}
"""Functions that compile what an operator wrote; see the test of globs."""
PLACE = Place.of(
    Binding(bucket="b", tenant="t", purpose="p", via="oss", include=Include(keys=GLOBS, content_types=GLOBS))
)


def is_searched(name: str) -> bool:
    """Whether its module looks for it anywhere in a text, rather than at the beginning."""
    if name.startswith("pattern="):
        return False
    module, _, variable = name.partition("[")[0].rpartition(".")
    source = inspect.getsource(importlib.import_module(module))
    return re.search(rf"\b{variable}(\[.*?\])?\.(search|sub|subn|split|findall|finditer)\b", source) is not None


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_works_off_a_hostile_megabyte_in_no_time(name: str) -> None:
    """
    Matched at its beginning and as a whole, whatever the megabyte repeats, and with an end that does not fit.
    """
    pattern = EXPRESSIONS[name]

    def ended(piece: str, size: int) -> Any:
        text = repeated(piece, size, end="\x01")
        return text.encode("utf-8", "surrogatepass") if isinstance(pattern.pattern, bytes) else text

    for piece in PIECES:
        for act in (pattern.match, pattern.fullmatch, *([pattern.search] if is_searched(name) else [])):
            assert is_quick(act, partial(ended, piece), MOST), f"{act.__name__} of {piece!r}"


@pytest.mark.parametrize("piece", PIECES)
def test_globs_work_off_a_hostile_megabyte_in_no_time(piece: str) -> None:
    """
    Those of `include`, of `cloudevents.ignore` and of the policy's rules, however many stars they have.
    """
    ignored, text = any_of(GLOBS), partial(repeated, piece)

    assert ignored is not None
    assert is_quick(lambda each: PLACE.includes(each, each), text, MOST)
    assert is_quick(ignored.fullmatch, text, MOST)
    assert is_quick(lambda each: compiled(GLOBS)(each), text, MOST)


def _strays(path: Path, tree: ast.Module) -> Iterator[str]:
    """Expressions of a module that the tests above cannot find: those it does not keep by a name of its own."""
    kept = {id(each) for line in tree.body if isinstance(line, ast.Assign | ast.AnnAssign) for each in ast.walk(line)}
    listed = {
        id(each)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and (path.name, function.name) in MADE_OF_GLOBS
        for each in ast.walk(function)
    }
    for each in ast.walk(tree):
        place = f"{path.name}:{getattr(each, 'lineno', 0)}"
        if isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == "re":
            harmless = each.attr in ("Pattern", "Match", "escape", "ASCII", "IGNORECASE")
            if not harmless and not (each.attr == "compile" and id(each) in kept | listed):
                yield f"{place}: re.{each.attr}"
        elif isinstance(each, ast.ImportFrom) and each.module in ("re", "regex", "fnmatch", "glob"):
            names = {name.name for name in each.names}
            if names != {"translate"} and not (names == {"fnmatchcase"} and path.parent.name == "emulator"):
                yield f"{place}: from {each.module} import {', '.join(sorted(names))}"
        elif path.parts[-2:] == ("scan", "finding.py"):
            continue  # the operator's own globs, of the command line; what they may cost: tests/commands/scan
        elif isinstance(each, ast.Import) and {name.name for name in each.names} & {"regex", "fnmatch", "glob"}:
            yield f"{place}: import {each.names[0].name}"
        elif isinstance(each, ast.keyword) and each.arg == "pattern" and not isinstance(each.value, ast.Constant):
            yield f"{place}: pattern="


def test_no_expression_escapes_these_tests() -> None:
    """
    Each is compiled into a name of its module, stands in `Field(pattern=…)`, or is made of globs in a listed place.
    """
    assert [stray for path, tree in SOURCES.items() for stray in _strays(path, tree)] == []


@pytest.mark.parametrize(
    "source",
    [
        "import re\ndef f(text): return re.sub('a', '', text)",
        "import re\ndef f(text): return re.compile('(a+)+').match(text)",
        "from re import search",
        "from fnmatch import fnmatch",
        "import fnmatch",
        "P = 'a'\nx: str = Field(pattern=P)",
    ],
)
def test_an_expression_that_is_not_listed_is_found(source: str) -> None:
    """
    Whoever adds one without its test is told.
    """
    assert list(_strays(Path("new.py"), ast.parse(source)))
