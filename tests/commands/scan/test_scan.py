"""`scan`: what is asked, of whom, how fast, and what is told of it."""

import hashlib
import os
from pathlib import Path

import orjson
import pytest
import yaml

from tests.commands.scan.account import POLICY, account, in_all_formats, many, painted
from tests.emulator.imagehost import serving
from tests.rig.pictures import picture

TAKEN = {"PNG", "JPEG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "ICO", "MPO"}
"""Formats of Pillow's that the provider takes; an MPO is a JPEG, and Pillow's DIB has no header of its own."""


async def test_each_image_of_a_folder_is_a_line_as_in_a_verdict(tmp_path: Path) -> None:
    """
    Decided by the policy, about the bytes that were uploaded, of which the line has the digest.
    """
    async with account(tmp_path) as provider:
        painted(provider.images, fire="red", skin="orange", sky="blue")
        ended, lines = await provider.scan(provider.images, "--alone")

    assert ended.status == 0, ended.errors
    fire, skin, sky = lines
    assert [line["decision"] for line in lines] == ["block", "review", "pass"]
    assert fire["image"] == f"{provider.images}/fire.png"
    assert fire["sha256"] == hashlib.sha256((provider.images / "fire.png").read_bytes()).hexdigest()
    assert fire["reasons"][0]["label"] == "violent_explosion"
    assert (fire["risk_level"], fire["decided_by"], fire["policy"]["id"]) == ("high", "policy", "by-hand")
    assert (skin["risk_level"], skin["findings"][0]["confidence"]) == ("medium", 81.0)
    assert (sky["risk_level"], sky["error"]) == ("none", None)
    assert all(line["provider"]["billed_calls"] == line["provider"]["attempts"] == 1 for line in lines)
    assert "3 of 3 images" in ended.errors
    assert "3 calls billed" in ended.errors


async def test_urls_are_the_providers_to_download_unless_they_are_uploaded(tmp_path: Path) -> None:
    """
    With --upload they are fetched from here, by the guard, which calls its own network for nobody without leave.
    """
    async with serving({"/a.png": picture("red")}) as host:
        url = f"{host.url}/a.png?signature=secret"
        async with account(tmp_path) as provider:
            _, [named] = await provider.scan(url, "--alone")
            tokens = len(provider.called("DescribeUploadToken"))
            _, [refused] = await provider.scan(url, "--alone", "--upload")
            allowed = "images.allow.networks=[127.0.0.1]"
            _, [fetched] = await provider.scan(url, "--alone", "--upload", "--set", allowed)

    assert (named["decision"], named["sha256"], tokens) == ("block", None, 0)
    assert named["image"] == f"{host.url}/a.png"
    assert (refused["error"]["class"], refused["error"]["code"]) == ("fetch", "address_refused")
    assert (fetched["decision"], fetched["sha256"]) == ("block", hashlib.sha256(picture("red")).hexdigest())


async def test_what_the_service_reads_from_is_nothing_to_a_scan(tmp_path: Path) -> None:
    """
    A store whose key is not on this machine stops the service, and no scan.
    """
    settings = {
        "stores": {"archive": {"type": "oss", "region": "cn-shanghai", "key_files": str(tmp_path / "gone")}},
        "bindings": [{"bucket": "photos", "via": "upload", "store": "archive"}],
    }
    async with account(tmp_path, settings) as provider:
        painted(provider.images, sky="blue")
        ended, lines = await provider.scan(provider.images, "--alone")

    assert (ended.status, len(lines)) == (0, 1), ended.errors


@pytest.mark.scenario
async def test_no_second_has_more_calls_than_were_asked_for(tmp_path: Path) -> None:
    """
    However many images there are, and however quickly they are answered.
    """
    async with account(tmp_path) as provider:
        many(provider.images, 60)
        ended, lines = await provider.scan(provider.images, "--qps", 20)

    assert (ended.status, len(lines)) == (0, 60)
    assert provider.busiest_second <= 20
    assert "!" in ended.errors
    assert "more than quota.reserve, which is 0" in " ".join(ended.errors.split())


@pytest.mark.scenario
async def test_the_reserve_is_what_a_scan_has(tmp_path: Path) -> None:
    """
    The service leaves it to others, and nobody need say more.
    """
    async with account(tmp_path, {"quota": {"reserve": 10}}) as provider:
        many(provider.images, 25)
        ended, _ = await provider.scan(provider.images)

    assert (ended.status, len(provider.called())) == (0, 25)
    assert provider.busiest_second <= 10
    assert "!" not in ended.errors


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "quota.reserve is 0: a running service uses all of the account's 100 calls a second"),
        (["--qps", "101"], "--qps: 101 is more than quota.qps, the account's 100 calls a second"),
        (["--alone", "--qps", "5"], "--alone and --qps: say one of them"),
        (["--alone", "--show"], "--show: is about the page of --html"),
        (["--alone", "--json", "gone/lines"], "--json: gone/lines cannot be written: No such file or directory"),
        (["--alone", "--html", "gone/page"], "--html: gone/page cannot be written: No such file or directory"),
        (["--alone", "--state", "gone/state"], "--state: gone/state cannot be opened: No such file or directory"),
        (["--alone", "--policy", "gone"], "gone: cannot be read"),
        (["gone.png", "--alone"], "gone.png: there is no such file or folder"),
    ],
)
async def test_what_is_asked_wrongly_costs_nothing(tmp_path: Path, arguments: list[str], problem: str) -> None:
    """
    The exit status is 2, and nobody was called.
    """
    async with account(tmp_path) as provider:
        many(provider.images, 1)
        ended, lines = await provider.scan(provider.images, *arguments)

    assert (ended.status, lines, provider.called()) == (2, [], [])
    assert problem in " ".join(ended.errors.split())


async def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    """
    Of options, configuration, key and images.
    """
    async with account(tmp_path) as provider:
        ended, _ = await provider.scan("gone.png", "--qps", 1000, "--set", "logs.level=loud", environment={})

    problems = ended.errors.splitlines()
    assert ended.status == 2
    assert [any(word in each for each in problems) for word in ("logs.level", "ACCESS_KEY_ID", "gone.png")] == [
        True
    ] * 3


async def test_a_found_image_fails_where_that_is_asked_for(tmp_path: Path) -> None:
    """
    At least as strict as is said: a build can end with it.
    """
    async with account(tmp_path) as provider:
        painted(provider.images, skin="orange")
        statuses = [
            (await provider.scan(provider.images, "--alone", *more))[0].status
            for more in ((), ("--fail-on", "block"), ("--fail-on", "review"))
        ]

    assert statuses == [0, 0, 1]


async def test_what_cannot_be_judged_goes_to_review_and_says_why(tmp_path: Path) -> None:
    """
    It costs nothing, and the scan goes on.
    """
    async with account(tmp_path, {"images": {"max_fetch_bytes": 5_000}}) as provider:
        painted(provider.images, sky="blue")
        folder = provider.images
        (folder / "large.png").write_bytes(picture("blue") + bytes(5_000))
        (folder / "broken.png").write_bytes(b"no image")
        (folder / "empty.png").write_bytes(b"")
        (folder / "folder").mkdir()
        (folder / "list").write_text("\n".join(f"{folder}/{name}" for name in ("gone.png", "folder")))
        ended, lines = await provider.scan(folder, "--alone", "--manifest", folder / "list")

    errors = {Path(line["image"]).name: line["error"] and "{class} {code}".format(**line["error"]) for line in lines}
    assert errors == {
        "sky.png": None, "large.png": "image too_large", "broken.png": "image format", "empty.png": "fetch empty",
        "gone.png": "fetch not_found", "folder": "fetch is_a_folder",
    }  # fmt: skip
    assert (ended.status, provider.billed) == (0, 1)
    assert {line["decision"] for line in lines if line["error"]} == {"review"}
    assert "5 of them could not be judged" in ended.errors


async def test_standard_input_is_judged(tmp_path: Path) -> None:
    """
    An image's bytes, or a list of images with what is to be carried on.
    """
    async with account(tmp_path) as provider:
        painted(provider.images, sky="blue")
        line = {"image": f"{provider.images}/sky.png", "tenant": "shop", "purpose": "avatar", "id": "7"}
        _, [image] = await provider.scan("-", "--alone", given=picture("red"))
        _, [listed] = await provider.scan("-", "--alone", given=orjson.dumps(line))

    assert (image["image"], image["decision"]) == ("-", "block")
    assert image["sha256"] == hashlib.sha256(picture("red")).hexdigest()
    assert {name: listed[name] for name in line} == line


async def test_a_dry_run_says_what_a_scan_costs_and_asks_nobody(tmp_path: Path) -> None:
    """
    It needs no key, no pace, and leaves no file behind.
    """
    async with account(tmp_path) as provider:
        many(provider.images, 30)
        (provider.images / "notes.txt").write_text("no image")
        policy = tmp_path / "two.yaml"
        policy.write_text(yaml.safe_dump({**POLICY, "services": ["baselineCheck_global", "aigcDetector_global"]}))
        state = tmp_path / "state"
        ended, [plan] = await provider.scan(
            provider.images, "--dry-run", "--price", 1.5, "--policy", policy, "--qps", 10, "--state", state,
            environment={},
        )  # fmt: skip
        size = sum(each.stat().st_size for each in provider.images.glob("*.png"))

    assert (ended.status, len(list(provider.emulator.calls)), state.exists()) == (0, 0, False)
    assert plan == {
        "images": 30, "from_state": 0, "bytes": size, "services": ["baselineCheck_global", "aigcDetector_global"],
        "calls": 60, "qps": 10, "seconds": 6.0, "cost": 0.09, "pictures": 1,
        "passed_over": {"files that are no images": 1},
    }  # fmt: skip


async def test_a_scan_asks_what_the_policy_asks_for_the_tenant(tmp_path: Path) -> None:
    """
    And counts those calls beforehand; the same file of another tenant is asked about for itself.
    """
    overlay = {"when": {"tenant": ["shop"]}, "services": ["baselineCheck_global", "aigcDetector_global"]}
    async with account(tmp_path) as provider:
        many(provider.images, 1)
        [file] = provider.images.iterdir()
        policy, listed, state = tmp_path / "overlay.yaml", tmp_path / "list", tmp_path / "state"
        policy.write_text(yaml.safe_dump({**POLICY, "overlays": [overlay]}))
        images = [{"image": str(file), "tenant": tenant} for tenant in ("shop", "other")]
        listed.write_bytes(b"\n".join(map(orjson.dumps, images)))
        options = ("--manifest", listed, "--policy", policy, "--state", state)

        _, [plan] = await provider.scan(*options, "--dry-run")
        ended, lines = await provider.scan(*options, "--alone")
        _, again = await provider.scan(*options, "--alone")

    assert (plan["images"], plan["calls"], plan["services"]) == (2, 3, overlay["services"])
    assert ended.status == 0
    asked = {line["tenant"]: [call["service"] for call in line["provider"]["calls"]] for line in lines}
    assert asked == {"shop": overlay["services"], "other": ["baselineCheck_global"]}
    assert [line["decision"] for line in again] == [line["decision"] for line in lines]


async def test_images_of_every_format_are_judged_or_passed_over_as_the_provider_would(tmp_path: Path) -> None:
    """
    200 files of all formats that Pillow writes, without a suffix that tells: none fails, none is paid for in vain.
    """
    async with account(tmp_path) as provider:
        formats = dict(in_all_formats(provider.images, 200))
        ended, lines = await provider.scan(provider.images, "--alone")

    by_format: dict[str, set[str]] = {}
    for line in lines:
        told = line["error"]["code"] if line["error"] else line["decision"]
        by_format.setdefault(formats[Path(line["image"]).name], set()).add(told)
    assert ended.status == 0
    assert len(formats) == 200
    assert {name for name, told in by_format.items() if told == {"pass"}} >= {
        "PNG",
        "JPEG",
        "GIF",
        "BMP",
        "WEBP",
        "TIFF",
    }
    assert {name: told for name, told in by_format.items() if told not in ({"pass"}, {"format"})} == {}
    assert provider.billed == sum(line["provider"]["billed_calls"] for line in lines)
    assert all(line["provider"]["billed_calls"] == (line["error"] is None) for line in lines)
    assert {name for name, told in by_format.items() if told == {"pass"}} <= TAKEN


async def test_names_that_are_meant_to_do_harm_are_names(tmp_path: Path) -> None:
    """
    Quotes, line breaks, markup, escapes of a terminal, bytes that are no UTF-8: each is a line of JSON, and a name.
    """
    hostile = [
        b"a\"b'.png",
        b"a\nb.png",
        b"<script>alert(1)<script>.png",
        b"\x1b[31m[red].png",
        b"\xff\xfe.png",
        b"%2e#?.png",
    ]
    async with account(tmp_path) as provider:
        for number, name in enumerate(hostile):
            (provider.images / os.fsdecode(name)).write_bytes(picture("blue", "PNG", (8 + number, 8)))
        ended, lines = await provider.scan(provider.images, "--alone", "--html", tmp_path / "page.html")

    names = {line["image"].removeprefix(f"{provider.images}/") for line in lines}
    assert ended.status == 0
    assert {line["decision"] for line in lines} == {"pass"}
    assert names == {
        "a\"b'.png", "a\nb.png", "<script>alert(1)<script>.png", "\x1b[31m[red].png", r"\xff\xfe.png", "%2e#?.png",
    }  # fmt: skip
    assert (tmp_path / "page.html").read_text("utf-8").count("<script>") == 1
