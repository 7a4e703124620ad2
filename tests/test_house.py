"""What keeps the house in order: each import contract can be broken, and everything stays in its rooms."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import resolve_name
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CONTRACTS = [
    each["name"] for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
]
BREAKS = {
    "Imports go one way": [
        ("waiting.py", "import consumer.service"), ("kafka/presence.py", "import consumer.intake.source"),
        ("a_new_module.py", "import consumer.records"),
    ],
    "Only what puts the service together, and commands, know the vendor": [
        ("moderation/assess.py", "import consumer.alibaba.codes"),
    ],
    "When a call may leave, and what an answer leads to, is decided without any client": [
        ("dispatch/gate.py", "import aiokafka"), ("policy/decide.py", "import httpx"),
    ],
    "Decisions are made without I/O": [("intake/ownership.py", "import asyncio")],
    "The emulator shares no code with what it checks": [("emulator/signatures.py", "import consumer.alibaba.signing")],
    "Nothing but the command line and the demo knows the emulator": [("service.py", "import consumer.emulator")],
}  # fmt: skip


def test_every_contract_has_a_change_that_must_break_it() -> None:
    """
    A contract that nothing can break protects nothing.
    """
    assert sorted(BREAKS) == sorted(CONTRACTS)


@pytest.mark.parametrize(
    ("contract", "file", "line"), [(name, *change) for name, changes in BREAKS.items() for change in changes]
)
def test_a_change_that_breaks_a_contract_is_refused(tmp_path: Path, contract: str, file: str, line: str) -> None:
    """
    `make check` names the contract; for a new module, that it has no place yet.
    """
    shutil.copytree(ROOT / "consumer", tmp_path / "consumer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "consumer" / file).open("a") as module:
        module.write(f"\n{line}\n")
    linter = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([linter, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 1, done.stderr
    assert f"{contract} BROKEN" in " ".join(done.stdout.split())


def room_of(module: str) -> str:
    """The benches, the tests, or what both are rigged with; empty for whatever else."""
    names = module.split(".")
    return "rig" if names[:2] == ["tests", "rig"] else names[0] if names[0] in ("tests", "bench") else ""


MAY_IMPORT = {"bench": ("bench", "rig", ""), "tests": ("tests", "rig", ""), "rig": ("rig", "")}


def imports_of(module: str, text: str) -> Iterator[str]:
    """What a module imports, by full names."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), module.rpartition(".")[0])
            yield from (f"{base}.{each.name}" for each in node.names)


def out_of_place(module: str, text: str) -> list[str]:
    """What a module of the tests or benches imports, and must not."""
    return [each for each in imports_of(module, text) if room_of(each) not in MAY_IMPORT[room_of(module)]]


@pytest.mark.parametrize(
    ("module", "line", "refused"),
    [
        ("tests.scenarios.test_crash", "from bench.events import upload_events", True),
        ("tests.scenarios.test_crash", "from bench import events", True),
        ("tests.scenarios.test_crash", "import bench.events", True),
        ("tests.scenarios.test_crash", "from tests.rig.stage import Stage", False),
        ("tests.rig.stage", "def f():\n    import bench.events", True),
        ("tests.rig.stage", "from tests.contract.reading import Reader", True),
        ("tests.rig.stage", "from ..contract import reading", True),
        ("tests.rig.stage", "from . import events", False),
        ("bench.race", "from tests.contract.reading import Reader", True),
        ("bench.race", "from tests import contract", True),
        ("bench.race", "from tests import rig", False),
        ("bench.tests.test_race", "import tests.rig.stage, bench.race", False),
    ],
)
def test_an_import_that_is_out_of_place_is_seen(module: str, line: str, refused: bool) -> None:
    """
    However it is written, and inside of functions too.
    """
    assert bool(out_of_place(module, line)) is refused


def test_tests_import_no_bench_and_benches_import_the_rig_only() -> None:
    """
    Whoever changes a bench breaks no test, and whoever changes a test breaks no bench; the rig needs neither.
    """
    found = []
    for path in sorted([*(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found += [f"{module} imports {imported}" for imported in out_of_place(module, path.read_text())]

    assert found == []


def modules() -> Iterator[tuple[str, str]]:
    """Every module of the package, by its path below it, with its text."""
    for path in sorted((ROOT / "consumer").rglob("*.py")):
        yield path.relative_to(ROOT / "consumer").as_posix(), path.read_text()


VENDOR = re.compile(
    r"\b((ap|us|eu|cn|me)-(southeast|northeast|east|west|central|shanghai|beijing|hangzhou|shenzhen|chengdu)(-\d)?\b"
    r"|ImageModeration\b|ImageAsyncModeration|DescribeUploadToken|Throttling\.|SignatureDoesNotMatch|InvalidAccessKeyId"
    r"|green-cip|x-acs-|x-oss-|baselineCheck|aliyuncs|AccessDenied\b|InvalidArgument\b)"
)


def test_the_vendor_stays_in_its_rooms() -> None:
    """
    No operation, code or region of the provider is named outside of the adapter, its facts and the emulator.
    """
    rooms = ("alibaba/", "vendor_facts/", "emulator/")
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in modules()
        if not name.startswith(rooms)
        for number, line in enumerate(text.splitlines(), 1)
        if VENDOR.search(line)
    ]

    assert found == []


DOMAINS = re.compile(r"\b(aliyuncs|aliyun|alibabacloud|alicdn)\.(com|cn|net)\b", re.IGNORECASE)


def test_the_vendors_domains_are_known_in_one_place() -> None:
    """
    Whether a host is the vendor's is said by its facts alone. The emulator, which answers in the vendor's place, shares
    nothing with them and has its own words.
    """
    found = {name for name, text in modules() if DOMAINS.search(text) and not name.startswith("emulator/")}

    assert found == {"vendor_facts/aliyun.py"}


def test_nothing_grows_beyond_what_one_reads_at_once() -> None:
    """
    No class has more than 250 lines, no file more than 400, and what acts is built from seven parts at the most; values
    have as many members as what they stand for.
    """
    too_large = []
    for name, text in modules():
        if text.count("\n") > 400:
            too_large.append(f"{name}: {text.count(chr(10))} lines")
        for each in ast.walk(ast.parse(text)):
            if isinstance(each, ast.ClassDef):
                lines = (each.end_lineno or 0) - each.lineno + 1
                if lines > 250:
                    too_large.append(f"{name}: {each.name}: {lines} lines")
                if (parts := parts_of(each)) > 7:
                    too_large.append(f"{name}: {each.name}: {parts} parameters")

    assert too_large == []


def parts_of(each: ast.ClassDef) -> int:
    """How many parameters the constructor of a class has that does something; 0 for a value."""
    methods = [part for part in each.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
    for method in methods:
        if method.name == "__init__":
            return len(method.args.args) - 1 + len(method.args.kwonlyargs)
    if not any("dataclass" in ast.dump(decorator) for decorator in each.decorator_list):
        return 0
    acts = any(isinstance(method, ast.AsyncFunctionDef) for method in methods)
    fields = [part for part in each.body if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)]
    return sum(not part.target.id.startswith("_") for part in fields) if acts else 0  # type: ignore[union-attr]


ENDS_THE_PROCESS = ("service.py", "clock.py", "commands/", "demo/", "emulator/")


def held_while_raised(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines that raise an error by a name that stays, and the name: `except … as` forgets its own."""

    def look(node: ast.AST, forgotten: frozenset[str]) -> Iterator[tuple[int, str]]:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                forgotten = frozenset()
            case ast.ExceptHandler(name=str(name)):
                forgotten |= {name}
            case ast.Try(finalbody=[ast.Delete(targets=targets), *_]):
                forgotten |= {each.id for each in targets if isinstance(each, ast.Name)}
            case ast.Raise():
                names = [each.id for each in (node.exc, node.cause) if isinstance(each, ast.Name)]
                yield from ((node.lineno, name) for name in names if name.islower() and name not in forgotten)
        for child in ast.iter_child_nodes(node):
            yield from look(child, forgotten)

    yield from look(tree, frozenset())


@pytest.mark.parametrize(
    ("body", "is_held"),
    [
        ("failure = f()\n    raise failure", True),
        ("for each in f():\n        raise each", True),
        ("try:\n        f()\n    except ValueError as error:\n        raise KeyError from error", False),
        (
            "try:\n        f()\n    except ValueError as error:\n        cause = error\n    raise KeyError from cause",
            True,
        ),
        ("try:\n        raise failure\n    finally:\n        del failure", False),
        ("raise Refused", False),
        ("raise", False),
    ],
)
def test_an_error_that_a_frame_holds_while_it_raises_it_is_seen(body: str, is_held: bool) -> None:
    """
    It holds the frame, which holds it: neither is freed before the garbage collector comes, nor what they have.
    """
    assert bool(list(held_while_raised(ast.parse(f"def ask():\n    {body}\n")))) is is_held


def test_no_frame_holds_an_error_that_it_raises() -> None:
    """
    A message, or an image of megabytes, would wait for the garbage collector with every failure.
    """
    found = [
        f"{path}:{line}: {name}"
        for path, text in modules()
        if not path.startswith(ENDS_THE_PROCESS)
        for line, name in held_while_raised(ast.parse(text))
    ]

    assert found == []
