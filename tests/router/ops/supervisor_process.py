"""A supervisor in a process of its own, its log, and the questions that tests ask it."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

TIMEOUT_S = 20
ROOT = Path(__file__).parents[3]


class SupervisorProcess:
    def __init__(self, command):
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=ROOT,
            process_group=0, env={"PYTHONPATH": str(ROOT), "AWS_SECRET_ACCESS_KEY": "sword-fish",
                                  "PATH": os.environ["PATH"]},
        )  # fmt: skip
        self.lines = []
        self._events = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self):
        listening = self.wait_for("bound")
        self.port, self.admin_port = listening["port"], listening["admin_port"]
        return self

    def __exit__(self, *_exc):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        self._process.stderr.close()

    @classmethod
    def of_fakes(cls, path):
        return cls([sys.executable, "-m", "tests.router.ops.supervised", str(path)])

    @property
    def pid(self):
        return self._process.pid

    def wait_for(self, event, count=1):
        """Return the next line of the log about `event`, or the one after `count` of them."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            line = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            if line["event"] == event:
                count -= 1
                if not count:
                    return line

    def signal(self, number):
        os.kill(self._process.pid, number)

    def stop(self):
        """Send SIGTERM; return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        return self._process.wait(TIMEOUT_S)

    def ask(self):
        """Connect as a client; return slot, generation and process id of who answers, and more."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT_S) as client:
            text = b""
            while part := client.recv(1024):
                text += part
        slot, generation, pid, *more = text.decode().split()
        return int(slot), int(generation), int(pid), "".join(more)

    def until(self, holds):
        """Ask until `holds(answer)`; return the answer."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            answer = self.ask()
            if holds(answer):
                return answer
        raise AssertionError("it never did")

    def admin(self, target):
        """Return status and JSON (or text) of an answer of the admin listener."""
        url = f"http://127.0.0.1:{self.admin_port}{target}"
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
                raw, kind = answer.read(), answer.headers["content-type"]
                return answer.status, json.loads(raw) if "json" in kind else raw.decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def until_admin(self, target, holds):
        """Ask the admin listener until `holds(body)`; return the body."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            _, body = self.admin(target)
            if holds(body):
                return body
        raise AssertionError(body)

    def _read(self):
        for text in self._process.stderr:
            self.lines.append(text)
            self._events.put(json.loads(text))


def exists(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
