"""moto, a stand-in for Amazon's services inside of this process. It checks no signature."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """The URL of one for the whole session. What a test makes in it has names of its own, or is taken away again."""
    from moto.server import ThreadedMotoServer  # takes a second, and few sessions need it

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
