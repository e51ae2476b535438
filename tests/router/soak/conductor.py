"""Lets a schedule happen to a world, in threads of its own, as the count of requests grows."""

import random
import threading
import time
from collections import Counter

from cell_devstack.memory_cell_faults import CellFaults
from tests.router.soak import schedule

POLL_S = 0.005
STOP_MAX_S = 2.5


class Conductor:
    """One thread for the cells' faults, one for moves: a move has to survive the faults."""

    def __init__(self, world, books, faults, moves, *, seed):
        self.happened = Counter()
        self.problems = []
        self._world = world
        self._books = books
        self._generator = random.Random(seed)
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=(faults, self._fault), name="faults"),
            threading.Thread(target=self._follow, args=(moves, self._move), name="moves"),
        ]

    def start(self):
        for thread in self._threads:
            thread.start()

    def finish(self):
        """Let what is under way end, leave out the rest, and leave all cells whole."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        for cell in self._world.cells.values():
            cell.restore()
            cell.break_with(CellFaults())

    def _follow(self, events, act):
        try:
            for event in events:
                if not self._reached(event.at):
                    return
                act(event)
                self.happened[event.what] += 1
        except Exception as problem:  # noqa: BLE001 - a thread's last line: the run reports it
            self.problems.append(f"{type(problem).__name__}: {problem}")
        finally:
            self._world.hang_up()

    def _reached(self, count, at_most_s=None):
        end = None if at_most_s is None else time.monotonic() + at_most_s
        while self._books.requests < count:
            if end is not None and time.monotonic() > end:
                return True
            if self._over.wait(POLL_S):
                return False
        return True

    def _fault(self, event):
        cell = self._world.cells[event.cell]
        match event.what:
            case schedule.CRASH:
                cell.kill()
                self._reached(event.until)
                cell.restore()
            case schedule.STOP:
                cell.process.stop()
                self._reached(event.until, STOP_MAX_S)
                cell.process.resume()
            case schedule.BREAK:
                cell.break_with(event.faults)
                self._reached(event.until)
                cell.break_with(CellFaults())

    def _move(self, event):
        world, generator = self._world, self._generator
        for _ in range(event.tenants):
            tenants = world.tenants_of(event.cell)
            if not tenants:
                return
            others = [name for name in world.cells if name != event.cell]
            publish = generator.random() < 0.5
            world.move(generator.choice(tenants), generator.choice(others), publish=publish)
