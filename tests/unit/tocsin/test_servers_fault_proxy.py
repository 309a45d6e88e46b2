"""The proxy that fails on demand: every state, on new and on open connections, in front of a real HTTP server."""

import contextlib
import http.client
import http.server
import socket
import threading
import time

import pytest
from fault_proxy import FaultProxy
from request_splitter import RequestSplitter
from waiting import until

ANSWER = b"0123456789" * 1000
TIMEOUT_SECONDS = 0.3


class _Server(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_):
        pass


class _Listener(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # resets are what is tested here


@pytest.fixture
def server():
    server = _Listener(("127.0.0.1", 0), _Server)
    server.bodies = []
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def proxy(server):
    with FaultProxy(f"http://127.0.0.1:{server.server_port}") as proxy:
        yield proxy


@pytest.fixture
def connect():
    """New HTTP connections to a proxy, closed at the end."""
    with contextlib.ExitStack() as stack:

        def connect(proxy, timeout=10.0):
            connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout)
            return stack.enter_context(contextlib.closing(connection))

        yield connect


def _post(connection, path="/write", body=b"abc"):
    connection.request("POST", path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_hands_on_many_requests_of_one_connection_and_counts_them(proxy, server, connect):
    connection = connect(proxy)
    big = bytes(range(256)) * 4096
    assert _post(connection) == _post(connection, "/query?org=a", big) == (200, ANSWER)
    assert proxy.requests == [("POST", "/write"), ("POST", "/query?org=a")]
    assert (server.bodies, proxy.connections) == ([b"abc", big], 1)


def test_refuses_new_connections_resets_open_ones_and_comes_back_on_the_same_port(proxy, connect):
    connection = connect(proxy)
    _post(connection)
    port = proxy.port
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        _post(connection)
    proxy.pass_through()
    assert _post(connect(proxy)) == (200, ANSWER)
    assert proxy.port == port


@pytest.mark.parametrize("reaches_server", [False, True])
def test_hangs_without_the_request_or_without_its_answer(proxy, server, reaches_server, connect):
    used, new = connect(proxy, TIMEOUT_SECONDS), connect(proxy, TIMEOUT_SECONDS)
    _post(used)
    proxy.hang(reaches_server=reaches_server)
    for connection in (used, new):
        with pytest.raises(TimeoutError):
            _post(connection, body=b"hung")
    proxy.pass_through()
    assert _post(connect(proxy)) == (200, ANSWER)
    assert server.bodies.count(b"hung") == (2 if reaches_server else 0)


def test_resets_the_connections_that_hung(proxy, connect):
    proxy.hang()
    connection = connect(proxy)
    connection.request("POST", "/write", b"abc")
    until(lambda: proxy.connections == 1, "the connection", 10.0)
    proxy.pass_through()
    with pytest.raises(ConnectionResetError):
        connection.getresponse()


def test_is_as_slow_as_it_is_told(proxy, connect):
    proxy.slow(bytes_per_second=50_000)
    began = time.monotonic()
    assert _post(connect(proxy)) == (200, ANSWER)
    assert time.monotonic() - began > len(ANSWER) / 50_000
    proxy.slow(delay_seconds=60.0)
    with pytest.raises(TimeoutError):
        _post(connect(proxy, TIMEOUT_SECONDS))


@pytest.mark.parametrize("length", [0, 1, 500, 5000])
def test_resets_in_the_middle_of_an_answer(proxy, server, length):
    proxy.cut(length)
    received = 0
    with socket.create_connection(("127.0.0.1", proxy.port), 10.0) as connection:
        connection.sendall(b"POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += len(piece)
            pytest.fail("the connection ended in order")
    assert received <= length
    assert server.bodies == [b"abc"]


def test_resets_in_the_middle_of_a_request(proxy, server, connect):
    proxy.cut(100_000, of="request")
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        _post(connect(proxy), body=bytes(1_000_000))
    proxy.pass_through()
    assert _post(connect(proxy)) == (200, ANSWER)
    assert server.bodies == [b"abc"]


def test_answers_a_path_without_the_server_so_often(proxy, server, connect):
    proxy.http_status(429, b'{"message": "later"}', path="/write", headers={"Retry-After": "7"}, times=2)
    connection = connect(proxy)
    assert _post(connection, "/query") == (200, ANSWER)
    connection.request("POST", "/write?bucket=b", bytes(500_000))
    answer = connection.getresponse()
    assert (answer.status, answer.reason, answer.headers["Retry-After"]) == (429, "Too Many Requests", "7")
    assert answer.read() == b'{"message": "later"}'
    assert [_post(connect(proxy))[0] for _ in range(2)] == [429, 200]
    assert server.bodies == [b"abc", b"abc"]


def test_answers_while_the_server_is_away(connect):
    with FaultProxy("http://127.0.0.1:9") as proxy:
        proxy.http_status(503)
        assert _post(connect(proxy)) == (503, b"")
        proxy.pass_through()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            _post(connect(proxy))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_finds_requests_in_pieces_of_any_size(size):
    stream = b"POST /a HTTP/1.1\r\nContent-LENGTH:  5\r\n\r\nGET /" + b"GET /b HTTP/1.1\r\n\r\n" * 2
    splitter = RequestSplitter()
    parts = [part for at in range(0, len(stream), size) for part in splitter.feed(stream[at : at + size])]
    assert b"".join(part.data for part in parts) == stream
    assert [part.head for part in parts if part.head] == [("POST", "/a"), ("GET", "/b"), ("GET", "/b")]
    assert sum(part.ends for part in parts) == 3


@pytest.mark.parametrize("stream", [b"\x10\x0c\x00\x04MQTT\x04\x02", b"CONNECT {}\r\nPING\r\n", b"GET x\r\n\r\n"])
def test_leaves_other_protocols_alone(stream):
    splitter = RequestSplitter()
    assert b"".join(part.data for part in splitter.feed(stream)) == stream
    assert [part.head for part in splitter.feed(b"GET / HTTP/1.1\r\n\r\n")] == [None]
