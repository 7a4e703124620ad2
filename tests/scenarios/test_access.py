"""The whole service on brokers that ask who is there."""

from pathlib import Path

import pytest

from tests.rig.emulated import KEY, emulated, upload_objects
from tests.rig.kafka.secured import CLEAR, MUTUAL, PASSWORD, SASL, SecuredKafka
from tests.rig.replica import Replica
from tests.rig.stage import Stage

EVENTS = 20


@pytest.fixture
async def stage(secured_kafka: SecuredKafka, topic: str) -> Stage:
    """Fresh topics; the test's own hands use the plaintext listener."""
    stage = Stage(secured_kafka.cluster, topic)
    await stage.set_up()
    return stage


@pytest.mark.scenario
@pytest.mark.parametrize(
    ("listener", "mechanism"),
    [(SASL, "SCRAM-SHA-512"), (SASL, "OAUTHBEARER"), (CLEAR, "SCRAM-SHA-256"), (MUTUAL, None)],
)
async def test_the_service_runs_behind_every_door(
    stage: Stage, secured_kafka: SecuredKafka, tmp_path: Path, listener: str, mechanism: str | None
) -> None:
    """
    Reading, publishing, committing and leaving the group all go through TLS, certificates, passwords and tokens.
    """
    async with emulated(["good"]) as emulator:
        await upload_objects(stage, ["good"] * EVENTS)
        config = stage.config(emulator.url, kafka=secured_kafka.settings(listener, mechanism))

        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            await replica.ready()
            ids = await stage.until(lambda ids: len(ids) >= EVENTS)
            replica.terminate()
            status = await replica.ended()

    assert status == 0
    assert len(ids) == len(set(ids)) == EVENTS
    assert PASSWORD not in replica.log.read_text()


@pytest.mark.scenario
async def test_a_wrong_password_is_waited_out(stage: Stage, secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    """
    Readiness and one line of the log say what is wrong and where to mend it; put right, the service starts by itself.
    """
    password = tmp_path / "password"
    password.write_text("canary-password\n")
    settings = secured_kafka.settings(SASL, "SCRAM-SHA-256")
    settings["security"]["sasl"]["password_file"] = "password"
    async with emulated(["good"]) as emulator:
        await upload_objects(stage, ["good"] * EVENTS)

        async with Replica.started(tmp_path, stage.config(emulator.url, kafka=settings), environment=KEY) as replica:
            await replica.until(lambda status, text: status == 503 and "refuses user 'ada'" in text)
            _, reason = await replica.readiness()
            lines = [line for line in replica.log.read_text().splitlines() if "refuse" in line]
            password.write_text(f"{PASSWORD}\n")
            await stage.until(lambda ids: len(ids) >= EVENTS)
            await replica.ready()

    assert f"put the password of the broker's user into {password}" in reason
    assert len(lines) == 1
    assert "kafka.refused" in lines[0]
    assert "canary" not in replica.log.read_text()


@pytest.mark.scenario
async def test_an_unknown_authority_is_named_and_a_signal_still_ends_the_wait(
    stage: Stage, secured_kafka: SecuredKafka, tmp_path: Path
) -> None:
    """
    A broker nobody can vouch for is not talked to; readiness names the setting; SIGTERM ends the service at once.
    """
    settings = secured_kafka.settings(SASL, "SCRAM-SHA-256")
    settings["security"]["tls"]["ca_file"] = str(secured_kafka.folder / "other-ca.pem")

    async with Replica.started(
        tmp_path, stage.config("http://127.0.0.1:9", kafka=settings), environment=KEY
    ) as replica:
        await replica.until(lambda status, text: status == 503 and "kafka.security.tls.ca_file" in text)
        replica.terminate()
        status = await replica.ended(timeout=5.0)

    assert status == 0


async def test_a_file_that_is_not_there_is_a_wrong_configuration(tmp_path: Path) -> None:
    """
    The service ends at once with status 2 and names every file with its setting.
    """
    security = {"protocol": "SSL", "tls": {"ca_file": "missing.pem"}}

    async with Replica.started(tmp_path, {"kafka": {"security": security}}, environment=KEY) as replica:
        status = await replica.ended()

    assert status == 2
    assert f"{tmp_path}/missing.pem: cannot be read: No such file or directory" in replica.log_tail()
    assert "Traceback" not in replica.log_tail()
