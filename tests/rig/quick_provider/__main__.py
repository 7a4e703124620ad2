"""
Runs the stand-in until SIGTERM or Ctrl-C; its address is the one JSON line on standard output.
"""

import argparse
import asyncio
import signal

import orjson
import uvloop

from tests.rig.quick_provider.script import LEVELS, Behaviour
from tests.rig.quick_provider.server import Provider

LOOPBACK = "127.0.0.1"


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.rig.quick_provider", description="A quick stand-in for ImageModeration"
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.3, help="seconds from a call's first byte to its answer")
    parser.add_argument("--spread", type=float, default=0.0, help="0.5: latencies from half to half as much again")
    parser.add_argument("--qps", type=int, help="calls admitted in any second; the others are answered 403")
    parser.add_argument("--verdict", choices=LEVELS, default="none", help="the RiskLevel")
    parser.add_argument("--slow-share", type=float, default=0.0, help="share of slow answers: 0.01 is every hundredth")
    parser.add_argument("--slow-latency", type=float, default=6.0, help="seconds until a slow answer")
    parser.add_argument(
        "--code",
        action="append",
        default=[],
        type=_code_by_part,
        metavar="PART=CODE",
        help="the code where PART is in the data id or the image's URL; may be repeated",
    )
    parser.add_argument(
        "--latency-of", action="append", default=[], type=_latency_by_part, metavar="PART=SECONDS", help="likewise"
    )
    parser.add_argument(
        "--verdict-of", action="append", default=[], type=_verdict_by_part, metavar="PART=LEVEL", help="likewise"
    )
    parser.add_argument("--seed", type=int, help="draws latencies and failures, by image and attempt")
    parser.add_argument("--failing-share", type=float, default=0.0, help="share of calls answered 500, by the seed")
    parser.add_argument("--store", metavar="URL", help="the temporary store that tokens name; its own without it")
    options = parser.parse_args()
    try:
        behaviour = Behaviour(
            latency=options.latency,
            spread=options.spread,
            verdict=options.verdict,
            qps=options.qps,
            slow_share=options.slow_share,
            slow_latency=options.slow_latency,
            codes=dict(options.code),
            latencies=dict(options.latency_of),
            verdicts=dict(options.verdict_of),
            seed=options.seed,
            failing_share=options.failing_share,
            store=options.store,
        )
    except ValueError as error:
        parser.error(str(error))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(behaviour, options.port))


def _code_by_part(text: str) -> tuple[str, int]:
    part, _, code = text.rpartition("=")
    return part, int(code)


def _latency_by_part(text: str) -> tuple[str, float]:
    part, _, seconds = text.rpartition("=")
    return part, float(seconds)


def _verdict_by_part(text: str) -> tuple[str, str]:
    part, _, level = text.rpartition("=")
    return part, level


async def serve(behaviour: Behaviour, port: int) -> None:
    """Answer calls on `port` of the loopback interface until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    provider = Provider(behaviour)
    server = await loop.create_server(provider.connection, LOOPBACK, port, backlog=1024)
    lag = asyncio.create_task(provider.watch_lag())
    host, bound_port = server.sockets[0].getsockname()[:2]
    print(orjson.dumps({"endpoint": f"http://{host}:{bound_port}"}).decode(), flush=True)
    await stopped.wait()
    lag.cancel()
    server.close()


if __name__ == "__main__":
    main()
