from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from consumer.emulator import Fault
from tests.alibaba.test_judging import Answers, expected
from tests.rig.emulated import KEY, emulated, upload_objects
from tests.rig.outcomes import DECISIONS
from tests.rig.replica import Replica
from tests.rig.stage import Stage

ANSWERS = 1_000
FIRST, LAST = 30, 100  # good ones before and after
SEED = 20_261_121
THROTTLES = (403, "Throttling")  # these are asked again for as long as they say so


@pytest.mark.scenario
async def test_made_up_answers_pass_only_where_all_of_them_is_harmless(stage: Stage, tmp_path: Path) -> None:
    """
    Over the wire, too, each answer ends as the strictest decision that any part of it asks for, and one that must not
    be accepted ends in review.
    """
    made_up: list[tuple[int, dict[str, Any]]] = []
    answers = Answers(Random(SEED))
    while len(made_up) < ANSWERS:
        status, answer = answers.status_and_answer()
        if status >= 200 and answer.get("Code") not in THROTTLES:
            made_up.append((status, answer))
    names = [f"made-up/{number}" for number in range(ANSWERS)]
    async with emulated([*names, "good"], latency=0.02) as emulator:
        emulator.faults.replace(
            Fault.model_validate(
                {"match": {"object": name}, "what": {"body": orjson.dumps(answer).decode(), "http_status": status}}
            )
            for name, (status, answer) in zip(names, made_up, strict=True)
        )
        await upload_objects(stage, ["good"] * FIRST)
        config = stage.config(
            emulator.url, quota={"qps": 200}, retries={"first_delay": 0.05, "max_delay": 0.5}
        )  # fmt: skip

        async with Replica.started(tmp_path, config, environment=KEY) as replica:
            # Good ones first: what has never been accepted is configuration, and no image's fault.
            await replica.until_metric("moderation_calls_billed_total", at_least=FIRST)
            await upload_objects(stage, [*names, *["good"] * LAST])
            await stage.until(lambda ids: len(ids) >= FIRST + ANSWERS + LAST, timeout=180)
    outcomes = await stage.outcomes()

    decisions = {verdict["image"]["ref"]["key"]: decision for decision in DECISIONS for verdict in outcomes[decision]}
    wanted = {
        name: expected(status, answer, data_id="no answer can know it") or "review"
        for name, (status, answer) in zip(names, made_up, strict=True)
    }
    assert outcomes["dead_letter"] == []
    assert {name: decisions[name] for name in names} == wanted
    assert set(wanted.values()) == {"pass", "review", "block"}
