import re

import pytest
import urllib3
from influxdb_client.rest import ApiException

from cloud.storage.influxdb.answers import not_now, refusal_of
from cloud.storage.settings import StoreSettings


@pytest.fixture
def settings(tmp_path):
    return StoreSettings(store="influxdb", influxdb_token_file=tmp_path / "token", influxdb_bucket="plant")


def answer(status, body=b"", headers=None):
    return ApiException(http_resp=urllib3.HTTPResponse(body, headers or {}, status))


@pytest.mark.parametrize(
    ("body", "dropped"),
    [
        (b'{"code":"unprocessable entity","message":"partial write: field type conflict dropped=3"}', 3),
        (b'{"error":"partial write: points beyond retention policy dropped=1"}', 1),
        (b"<html>too large</html>", None),
    ],
)
def test_refusals_count_what_was_dropped(body, dropped):
    for status in (400, 413, 422):
        assert refusal_of(answer(status, body)).dropped == dropped
    assert refusal_of(answer(500, body)) is None


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (answer(401, b'{"code":"unauthorized","message":"unauthorized access"}'), "refuses the token in .*token "),
        (answer(403), "refuses the token .*status 403"),
        (answer(404, b'{"message":"bucket \\"plant\\" not found"}'), "has no bucket plant for organisation tocsin"),
        (answer(500, b'{"error":"failed to initialize execute state: no database"}'), "has no bucket plant"),
        (answer(429, headers={"Retry-After": "7"}), "takes no more requests for now .* asks for 7 s of patience"),
        (answer(503, b"busy"), r"failed \(503, busy\): see its log"),
        (urllib3.exceptions.ReadTimeoutError(None, "/", "read timed out"), "did not answer within 10 s"),
        (ConnectionRefusedError(111, "Connection refused"), r"cannot be reached \(Connection refused\)"),
    ],
)
def test_anything_else_is_one_sentence(settings, error, words):
    sentence = str(not_now(error, settings))
    assert re.search(words, sentence), sentence
    assert sentence.startswith("InfluxDB at http://127.0.0.1:8086 ")
    assert sentence.count("\n") == 0
    assert sentence.endswith(".")


def test_a_server_is_left_alone_for_as_long_as_it_asks_within_a_limit(settings):
    assert not_now(answer(429, headers={"Retry-After": "7"}), settings).pause_seconds == 7.0
    assert not_now(answer(503, headers={"Retry-After": "86400"}), settings).pause_seconds == 60.0
    assert not_now(answer(503, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}), settings).pause_seconds == 0
