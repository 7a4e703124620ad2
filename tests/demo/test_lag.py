import asyncio
import time

from consumer.demo.lag import measuring_lag


async def test_a_held_up_loop_is_measured() -> None:
    """
    What blocks the event loop is seen as lag, less the tick at which it may have begun.
    """
    async with measuring_lag() as lag:
        await asyncio.sleep(0)
        time.sleep(0.1)
        await asyncio.sleep(0.001)

    assert 0.09 <= lag.longest < 10.0
