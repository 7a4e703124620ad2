import socket

import pytest

from tests.rig.embedded import BrokerProcess


def test_a_broker_process_ends_with_its_block() -> None:
    """
    It listens while its block lasts, and nobody does after that.
    """
    with BrokerProcess() as broker:
        host, _, port = broker.bootstrap_servers.rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=5)
