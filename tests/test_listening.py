"""Addresses of the servers."""

import pytest

from crabplus.listening import address, is_loopback, listen


def test_what_cannot_be_had_names_the_option_to_change() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        assert address("127.0.0.1", first) == f"http://127.0.0.1:{port}"
        with pytest.raises(OSError, match="name another --port"), listen("127.0.0.1", port):
            pass
    with pytest.raises(OSError, match="name another --host"), listen("192.0.2.1", 0):
        pass


@pytest.mark.parametrize(
    ("host", "alone"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_only_this_machine(host: str, alone: bool) -> None:
    assert is_loopback(host) is alone
