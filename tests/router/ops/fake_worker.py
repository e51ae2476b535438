"""A worker that answers each connection with its slot, generation and process id, or misbehaves.

What it does is said by comments in the configuration that it reads from its standard input:
`# worker: crash`, say. It speaks the real protocol with its supervisor.
"""

import argparse
import os
import re
import select
import socket
import sys

from cell_router.server.report import Drain, Find, Lines, Ready, Report, encode, to_worker


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config")
    for name in ("slot", "generation", "listen-fd", "report-fd"):
        parser.add_argument(f"--{name}", type=int)
    parsed = parser.parse_args(sys.argv[sys.argv.index("worker") + 1 :])
    asked = set(re.findall(r"^# worker: (.*)$", sys.stdin.read(), re.MULTILINE))
    link = socket.socket(fileno=parsed.report_fd)
    if asked & {"crash", f"crash in slot {parsed.slot}"}:
        return 3
    listener = socket.socket(fileno=parsed.listen_fd)
    try:
        greet(parsed, link, listener, asked)
    except BrokenPipeError:
        return 0  # The supervisor is gone.
    return serve(parsed, link, listener, asked)


def greet(parsed, link, listener, asked):
    if "junk" in asked:
        link.sendall(b"this is no message\n")
    if "endless" in asked:
        link.sendall(b"x" * 2_000_000)
    if "mute" in asked:
        return
    listener.listen(128)  # Before it says so, as a real worker does.
    link.sendall(encode(Ready()))
    link.sendall(encode(Report(positions=[(f"slot{parsed.slot}", 0, parsed.generation, 1)])))
    if "find" in asked:
        link.sendall(encode(Find("t1")))
        link.sendall(encode(Find("nobody")))


def serve(parsed, link, listener, asked):
    heeded = [link] if "mute" in asked else [link, listener]
    lines, found = Lines(), []
    who = f"{parsed.slot} {parsed.generation} {os.getpid()}"
    while True:
        ready, _, _ = select.select(heeded, [], [])
        if link in ready:
            data = heard(link)
            if not data:
                return 0  # The supervisor is gone.
            for message in map(to_worker, lines.feed(data)):
                if isinstance(message, Drain) and "stubborn" not in asked:
                    link.sendall(encode(Report(counts=[("hops", "last words", 1)])))
                    return 0
                if not isinstance(message, Drain):
                    found.append(f"{message.tenant}={message.present}")
        if listener in ready:
            answer(listener, f"{who} {','.join(found)}\n".encode())


def heard(link):
    try:
        return link.recv(65536)
    except ConnectionResetError:  # The supervisor was killed before it had read everything.
        return b""


def answer(listener, text):
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return  # A worker of another generation took it.
    with connection:
        connection.sendall(text)


if __name__ == "__main__":
    sys.exit(main())
