"""The demo's questions to a cloud that dies while it answers."""

import socket
import threading

import pytest

from shared.errors import TocsinError
from tocsin.demo.api import Api

ANSWERS = {
    "cut in the middle": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n[1, 2",
    "cut in the head": b"HTTP/1.1 200",
    "nothing": b"",
    "no JSON": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_cut_short_is_a_cloud_that_does_not_answer(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        api = Api(f"http://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(TocsinError, match="does not answer"):
            api.get("/api/assets")
        assert api.get_or_none("/api/assets") is None
        thread.join(10)
