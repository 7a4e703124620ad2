"""
`libraries` as an operator meets it: files in, exit status and text out.
"""

import textwrap
from pathlib import Path

from consumer.emulator import Emulator, EmulatorSettings, running
from tests.commands.cli import Ended, command
from tests.rig.emulated import KEY

GOOD = """
    business_scenarios: [avatars]
    image_libraries:
      - {name: terror, category: BLACK, scene: ILLEGAL, biz_types: [avatars]}
    keyword_libraries:
      - {name: w, category: REVIEW, resource_type: IMAGE, lib_type: textKeyword, keywords: [casino]}
"""
BAD = """
    image_libraries:
      - {name: terror, category: GREY, scene: TERROR}
      - {category: BLACK, scene: AD, colour: red}
    keyword_libraries:
      - {name: w, category: REVIEW, resource_type: VOICE, lib_type: textKeyword}
      - {name: w, category: REVIEW, resource_type: TEXT, lib_type: textKeyword, match_mode: exact}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "libraries.yaml"
    path.write_text(textwrap.dedent(text))
    return path


async def libraries(emulator: Emulator, *arguments: str) -> Ended:
    return await command("libraries", *arguments, "--endpoint", emulator.url, environment=KEY)


async def test_apply_does_what_plan_says_and_then_nothing(tmp_path: Path) -> None:
    """
    The plan exits with 1 while something is to be done, and says what is not established.
    """
    file = str(written(tmp_path, GOOD))
    async with running(EmulatorSettings(library_qps=100)) as emulator:
        planned = await libraries(emulator, "plan", file)
        nothing_yet = emulator.libraries.all()
        applied = await libraries(emulator, "apply", file)
        again = await libraries(emulator, "apply", file)
        shown = await libraries(emulator, "show", file)

        assert (planned.status, applied.status, again.status, shown.status) == (1, 0, 0, 0), applied.errors
        assert nothing_yet == []
        assert "+  create image library terror: BLACK ILLEGAL for avatars" in planned.output
        assert "Whether Image Moderation 2.0 honours them is not established" in planned.output
        assert applied.output.count("✓") == 3
        assert "nothing to do" in again.output
        assert "image library terror" in shown.output
        assert len(emulator.libraries.all()) == 2
        lint = await command("policy", "lint", "config/policy.yaml", "--lock", str(tmp_path / "libraries.lock.yaml"))
        assert lint.status != 2, lint.errors


async def test_every_problem_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    """
    Nothing is asked of the account.
    """
    file = str(written(tmp_path, BAD))
    async with running(EmulatorSettings()) as emulator:
        ended = await libraries(emulator, "apply", file)

        assert (ended.status, list(emulator.calls)) == (2, [])
    for each in (
        "libraries.yaml:3: image_libraries.0.category: must be one of BLACK, WHITE, REVIEW",
        "libraries.yaml:3: image_libraries.0.scene",
        "libraries.yaml:4: image_libraries.1.name: is missing",
        "libraries.yaml:4: image_libraries.1.colour: is not a setting",
        "libraries.yaml:6: keyword_libraries.0.lib_type: textKeyword does not fit resource_type VOICE: write voiceText",
        "libraries.yaml:7: keyword_libraries.1.name: 'w' is the name of keyword_libraries.0 already",
        "libraries.yaml:7: keyword_libraries.1.match_mode: must be one of fuzzy, precise",
    ):
        assert each in ended.errors


async def test_adopt_writes_the_lock_and_changes_nothing(tmp_path: Path) -> None:
    """
    Without it, a library of the same name is refused.
    """
    file = str(written(tmp_path, GOOD))
    async with running(EmulatorSettings(library_qps=100)) as emulator:
        emulator.libraries.create("image", {"name": "terror", "category": "BLACK", "scene": "AD"})
        refused = await libraries(emulator, "apply", file)
        adopted = await libraries(emulator, "adopt", file)
        planned = await libraries(emulator, "plan", file, "--json")

    assert (refused.status, adopted.status, planned.status) == (2, 0, 1)
    assert "libraries.yaml:4: image_libraries.0: the account has one of this name with other settings" in refused.errors
    assert "differs in scene: AD → ILLEGAL, biz_types: none → avatars" in adopted.output
    assert '"verb":"update"' in planned.output


async def test_replacing_asks_first(tmp_path: Path) -> None:
    """
    In a pipeline, where nobody can be asked, it needs --yes.
    """
    file = written(tmp_path, GOOD)
    async with running(EmulatorSettings(library_qps=100)) as emulator:
        await libraries(emulator, "apply", str(file))
        written(tmp_path, GOOD.replace("BLACK", "WHITE"))
        refused = await libraries(emulator, "apply", str(file))
        unsure = await libraries(emulator, "apply", str(file), "--replace")
        kept = [each.category for each in emulator.libraries.of("image")]
        done = await libraries(emulator, "apply", str(file), "--replace", "--yes")

        assert (refused.status, unsure.status, done.status, kept) == (2, 2, 0, ["BLACK"])
        assert "lost are its 0 sample images, and its id" in refused.errors
        assert "deleted before it is created anew, and in between nothing is found by it" in unsure.output
        assert [each.category for each in emulator.libraries.of("image")] == ["WHITE"]


async def test_a_wrong_key_and_another_machine_in_the_clear_are_refused(tmp_path: Path) -> None:
    """
    Neither message shows the key.
    """
    file = str(written(tmp_path, GOOD))
    wrong = {**KEY, "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "not-the-secret"}
    async with running(EmulatorSettings()) as emulator:
        refused = await command("libraries", "plan", file, "--endpoint", emulator.url, environment=wrong)
    clear = await command("libraries", "plan", file, "--endpoint", "http://green.example.com", environment=KEY)

    assert (refused.status, clear.status) == (1, 2)
    assert "account SignatureDoesNotMatch" in refused.errors
    assert "not-the-secret" not in refused.errors + clear.errors
    assert "another machine: write https://" in clear.errors
