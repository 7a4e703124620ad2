"""Stores as the configuration names them: where they are called, and with which key."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from consumer.clock import SystemClock
from consumer.config import Config
from consumer.errors import AccountRefused, Misconfigured
from consumer.image_sources import open_sources, stores_of
from consumer.images.errors import NotFetched
from consumer.images.held import BytesHeld
from consumer.images.stores.chain import Chain, usual_key
from consumer.keys import LOOK_INTERVAL
from consumer.locations import StoredObject
from tests.emulator.imagehost import serving as hosting
from tests.images.stores.serving import IMAGE, KEY, S3Like, answer, serving
from tests.rig.clock import ManualClock
from tests.rig.proxying import PrivateAuthority, proxy, tls_in_front_of

OBJECT = StoredObject("a", "photos", "a.png")


def configured(**store: Any) -> Config:
    binding = {"bucket": "photos", "via": "upload", "store": "a"}
    images = {"allow": {"networks": ["127.0.0.1"]}}
    return Config.model_validate({"stores": {"a": store}, "bindings": [binding], "images": images})


def written(folder: Path, key_id: str = KEY.id, secret: str = KEY.secret, token: str | None = KEY.token) -> Path:
    (folder / "access-key-id").write_text(key_id)
    (folder / "access-key-secret").write_text(secret)
    if token is not None:
        (folder / "security-token").write_text(token)
    return folder


async def test_an_image_comes_from_a_url_or_a_store(tmp_path: Path) -> None:
    """
    What guards URLs does not guard stores, whose address is the operator's word.
    """
    async with serving(S3Like({("photos", "a.png"): IMAGE})) as store, hosting({"/a.png": b"by url"}) as host:
        config = configured(type="s3", endpoint=store.url, region="eu-west-1", key_files=written(tmp_path))
        async with open_sources(config, {}, SystemClock()) as sources:
            with BytesHeld(1 << 26).room() as room:
                assert await sources.fetch(OBJECT, room) == IMAGE
                assert await sources.fetch(f"{host.url}/a.png", room) == b"by url"
            assert sources.reasons_not_ready() == []


async def test_a_key_that_is_replaced_is_used_without_a_restart(tmp_path: Path) -> None:
    """
    Once its files have looked the same for a moment, as the account's key is.
    """
    clock = ManualClock()
    written(tmp_path, "AKIDOLD", "old", "old")
    async with serving(S3Like({("photos", "a.png"): IMAGE})) as store:
        config = configured(type="s3", endpoint=store.url, region="eu-west-1", key_files=tmp_path)
        async with open_sources(config, {}, clock) as sources:
            with BytesHeld(1 << 26).room() as room:
                with pytest.raises(AccountRefused):
                    await sources.fetch(OBJECT, room)
                written(tmp_path)
                clock.time += LOOK_INTERVAL
                with pytest.raises(AccountRefused):
                    await sources.fetch(OBJECT, room)
                assert store.keys[-1] == "AKIDOLD"
                clock.time += LOOK_INTERVAL
                assert await sources.fetch(OBJECT, room) == IMAGE


async def test_a_store_is_read_through_the_images_proxy(tmp_path: Path) -> None:
    """
    With its user and password; the key of an object stays as it is, also in the clear.
    """
    key = "a/../b//c.png"
    async with serving(S3Like({("photos", key): IMAGE})) as store, proxy(user="ada:pass") as server:
        config = configured(type="s3", endpoint=store.url, region="eu-west-1", key_files=written(tmp_path))
        images = config.images.model_copy(update={"proxy": f"http://ada:pass@{server.address}"})
        with BytesHeld(1 << 26).room() as room:
            async with open_sources(config.model_copy(update={"images": images}), {}, SystemClock()) as sources:
                assert await sources.fetch(StoredObject("a", "photos", key), room) == IMAGE
                through = [sources.proxy_of(each) for each in (OBJECT, "https://host.example/a.png", "file:///a.png")]

    assert through == [server.address, server.address, None]
    assert server.asked == [f"GET {store.url}/photos/{key} HTTP/1.1"]


async def test_a_private_authority_is_trusted_where_the_environment_names_it(tmp_path: Path) -> None:
    """
    As for other images; without it the store is not reached, which may pass.
    """
    authority = PrivateAuthority()
    environment = {"SSL_CERT_FILE": str(authority.write(tmp_path / "ca.pem"))}
    async with (
        serving(S3Like({("photos", "a.png"): IMAGE})) as store,
        tls_in_front_of(store.port, authority.context("localhost")) as port,
    ):
        url = f"https://localhost:{port}"
        config = configured(type="s3", endpoint=url, region="eu-west-1", key_files=written(tmp_path))
        with BytesHeld(1 << 26).room() as room, pytest.MonkeyPatch.context() as patched:
            async with open_sources(config, {}, SystemClock()) as sources:
                with pytest.raises(NotFetched) as refused:
                    await sources.fetch(OBJECT, room)
            patched.setenv("SSL_CERT_FILE", environment["SSL_CERT_FILE"])
            async with open_sources(config, environment, SystemClock()) as sources:
                assert await sources.fetch(OBJECT, room) == IMAGE

    assert (refused.value.code, refused.value.again) == ("tls", True)


@pytest.mark.parametrize(
    ("store", "url"),
    [
        ({"type": "s3", "region": "eu-west-1"}, "https://photos.s3.eu-west-1.amazonaws.com/a.png"),
        ({"type": "s3", "region": "cn-north-1"}, "https://photos.s3.cn-north-1.amazonaws.com.cn/a.png"),
        ({"type": "s3", "endpoint": "https://minio:9000"}, "https://minio:9000/photos/a.png"),
        ({"type": "oss", "region": "cn-shanghai"}, "https://photos.oss-cn-shanghai.aliyuncs.com/a.png"),
    ],
)
async def test_a_store_is_called_where_its_kind_says(tmp_path: Path, store: dict[str, str], url: str) -> None:
    """
    At its endpoint, or at the region's public one.
    """
    config = configured(**store, key_files=written(tmp_path))

    asked = await stores_of(config.stores_read, {}, SystemClock())["a"].get(OBJECT)

    assert asked.url == url
    assert KEY.secret not in str(asked)


async def test_a_store_of_the_vendors_takes_its_key_from_the_environment() -> None:
    """
    By the variables of the vendor's own tools, where there are no files; without either the service does not start.
    """
    config = configured(type="oss", region="cn-shanghai")
    environment = {"ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret"}

    asked = await stores_of(config.stores_read, environment, SystemClock())["a"].get(OBJECT)
    with pytest.raises(Misconfigured) as wrong:
        stores_of(config.stores_read, {}, SystemClock())

    assert "Credential=LTAI/" in asked.headers["authorization"]
    assert wrong.value.problems[0] == (
        "stores.a: environment ALIBABA_CLOUD_ACCESS_KEY_ID: is not set; it is the key of a store without key_files"
    )


async def test_an_object_of_the_vendors_store_is_read_by_its_version(tmp_path: Path) -> None:
    """
    Which that store names in a header of its own; another is not taken in its place.
    """
    given = [answer(headers={"x-oss-version-id": version}) for version in ("v1", "v2")]
    async with serving(S3Like(None, *given)) as store:
        config = configured(type="oss", region="cn-shanghai", endpoint=store.url, key_files=written(tmp_path))
        async with open_sources(config, {}, SystemClock()) as sources:
            with BytesHeld(1 << 26).room() as room:
                assert await sources.fetch(StoredObject("a", "photos", "a/../b", "v1"), room) == IMAGE
                with pytest.raises(NotFetched, match="changed"):
                    await sources.fetch(StoredObject("a", "photos", "a/../b", "v1"), room)

    assert store.targets == ["/photos/a/../b?versionId=v1"] * 2


async def test_amazons_usual_key_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """
    As its own tools find it; a store without any is refused, and says so, until there is one.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    async with serving(S3Like({("photos", "a.png"): IMAGE})) as store:
        config = configured(type="s3", endpoint=store.url, region="eu-west-1")
        async with open_sources(config, {}, SystemClock()) as sources:
            with BytesHeld(1 << 26).room() as room:
                with pytest.raises(AccountRefused) as refused:
                    await sources.fetch(OBJECT, room)
                told = sources.reasons_not_ready()
                monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY.id)
                monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY.secret)
                monkeypatch.setenv("AWS_SESSION_TOKEN", KEY.token or "")
                assert await sources.fetch(OBJECT, room) == IMAGE

    assert refused.value.code == "no_credentials"
    assert told == ["images: the store a refuses this service its bucket photos (no_credentials) for 0 s"]


async def test_amazons_usual_key_may_be_a_roles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, moto: str) -> None:
    """
    That a pod's identity stands for: a temporary key with a token. While the role cannot be assumed there is none.
    """
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    identity = tmp_path / "token"
    identity.write_text("identity")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/moderation")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(identity))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    current = usual_key("a", "eu-west-1", SystemClock())

    with pytest.raises(AccountRefused) as refused:
        await current()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto)
    key = await current()

    assert refused.value.code == "EndpointConnectionError"
    assert key.id.startswith("ASIA")
    assert key.token


async def test_who_waited_for_a_key_that_was_not_found_does_not_look_again() -> None:
    """
    One look at a time: a metadata service that hangs is not asked once for each image, one after the other.
    """
    looks = 0

    async def look() -> None:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.01)

    chain = Chain(look, "a", SystemClock())
    found = await asyncio.gather(*(chain.current() for _ in range(20)), return_exceptions=True)

    assert [type(each) for each in found] == [AccountRefused] * 20
    assert looks == 1
