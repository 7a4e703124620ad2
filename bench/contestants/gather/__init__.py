"""aiokafka, `asyncio.gather` and httpx: the loop that is usually written first."""
