"""The local world's client: an answer, or that there was none; never half of one."""

import socket
import threading

import pytest

from cell_devstack.json_client import JsonClient, NoAnswer

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.fixture
def answering():
    """Answer each connection with the given bytes, and close it."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads = []

    def serve(answer):
        def once():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=once)
        thread.start()
        threads.append(thread)
        return JsonClient(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=5.0)

    yield serve
    for thread in threads:
        thread.join()
    listener.close()


def test_a_whole_answer_is_parsed(answering):
    client = answering(HEAD + b'content-length: 8\r\n\r\n{"a": 1}')

    answer = client.send("GET", "/x", {})
    client.close()

    assert (answer.status, answer.body) == (200, {"a": 1})


@pytest.mark.parametrize(
    "cut",
    [
        b"",
        HEAD,
        HEAD + b"content-length: 8\r\n\r\n",
        HEAD + b'content-length: 8\r\n\r\n{"a":',
        HEAD + b'transfer-encoding: chunked\r\n\r\n8\r\n{"a":',
    ],
)
def test_an_answer_that_is_cut_is_none(answering, cut):
    client = answering(cut)

    with pytest.raises(NoAnswer):
        client.send("GET", "/x", {})
