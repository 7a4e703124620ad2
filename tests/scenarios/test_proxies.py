"""The whole service behind a proxy, with a private authority, on a real Kafka."""

from pathlib import Path

import pytest

from tests.rig.emulated import KEY, emulated, upload_objects
from tests.rig.proxying import PrivateAuthority, proxy, tls_in_front_of
from tests.rig.replica import Replica
from tests.rig.stage import Stage


@pytest.mark.scenario
async def test_readiness_says_which_step_of_the_way_fails(stage: Stage, tmp_path: Path) -> None:
    """
    Images are judged through a proxy that wants a user; where it lets nothing through, or the provider's certificate is
    not trusted, readiness and log say so, and nothing shows the user.
    """
    authority = PrivateAuthority()
    ca_file = authority.write(tmp_path / "ca.pem")
    names = [f"{number}.png" for number in range(40)]
    async with (
        emulated(names) as emulator,
        tls_in_front_of(int(emulator.endpoint.rpartition(":")[2]), authority.context("localhost")) as port,
        proxy(user="ada:canary") as passing,
    ):
        config = stage.config(
            f"https://localhost:{port}", provider={"ca_file": str(ca_file)},
            retries={"first_delay": 0.1, "max_delay": 0.5},
        )  # fmt: skip
        environment = {**KEY, "HTTPS_PROXY": f"http://ada:canary@{passing.address}"}
        async with Replica.started(tmp_path, config, environment=environment) as replica:
            await upload_objects(stage, names[:20])
            await stage.until(lambda ids: len(ids) >= 20)
            passing.manner = "forbids"
            passing.drop()
            await upload_objects(stage, names)
            await replica.until(
                lambda status, text: status == 503 and "provider proxy (refuses with 403) for" in text, timeout=20.0
            )
            passing.manner = "serves"
            await stage.until(lambda ids: len(ids) >= 60)
            replica.terminate()
            assert await replica.ended() == 0
        config["provider"].pop("ca_file")
        async with Replica.started(tmp_path, config, name="untrusting", environment=environment) as untrusting:
            await upload_objects(stage, names)
            await untrusting.until(
                lambda status, text: status == 503 and "provider tls (unable to get local" in text,
                timeout=30.0,
            )

    said = replica.log.read_bytes() + untrusting.log.read_bytes()
    assert b'"code":"proxy"' in said
    assert b'"detail":"refuses with 403"' in said
    assert b"canary" not in said
    assert all(f"localhost:{port}" in line for line in passing.asked)
