"""One job for each key: woken, bounded, never two at a time, and alive whatever breaks."""

import asyncio
import io
from collections.abc import Callable, Coroutine
from typing import Any

from cell_control.server.event_log import EventLog
from cell_control.server.rounds import Rounds
from tests.control.server.plane import SEEN_S


class Bench:
    """Rounds whose jobs a test holds back."""

    def __init__(self, parallel_max: int = 2) -> None:
        self.began: list[str] = []
        self.at_work = 0
        self.most = 0
        self.go = asyncio.Event()
        self.log = io.StringIO()
        self.errors: list[str] = []
        self.answers: dict[str, list[int | Exception | None]] = {}
        self.news = asyncio.Condition()
        self.rounds = Rounds(
            "movers",
            self._job,
            parallel_max=parallel_max,
            log=EventLog(self.log, lambda: 0),
            draw=lambda: 0.0,
            on_error=self.errors.append,
        )

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(SEEN_S), self.news:
            await self.news.wait_for(holds)

    async def _job(self, key: str) -> int | None:
        self.began.append(key)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        async with self.news:
            self.news.notify_all()
        await self.go.wait()
        self.at_work -= 1
        answer = self.answers.get(key, [None]).pop(0) if self.answers.get(key) else None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _run(scenario: Callable[[Bench], Coroutine[Any, Any, Any]], **given: Any) -> Any:
    async def run() -> Any:
        bench = Bench(**given)
        running = asyncio.create_task(bench.rounds.run())
        try:
            return await scenario(bench)
        finally:
            bench.go.set()
            await bench.rounds.stop(0.0)
            await running

    return asyncio.run(run())


def test_no_more_jobs_than_may_are_at_work_and_none_is_forgotten():
    async def scenario(bench: Bench) -> tuple[list[str], int]:
        for number in range(6):
            bench.rounds.wake(f"T-{number}")
        await bench.until(lambda: len(bench.began) == 2)
        bench.go.set()
        await bench.until(lambda: len(bench.began) == 6)
        return bench.began, bench.most

    began, most = _run(scenario)

    assert sorted(began) == [f"T-{number}" for number in range(6)]
    assert most == 2


def test_a_key_woken_while_at_work_is_worked_on_once_more_and_never_twice_at_a_time():
    async def scenario(bench: Bench) -> tuple[list[str], int]:
        bench.rounds.wake("T-1")
        await bench.until(lambda: len(bench.began) == 1)
        for _ in range(5):
            bench.rounds.wake("T-1")
            await asyncio.sleep(0)  # A turn of the loop, in which it could begin once more.
        bench.go.set()
        await bench.until(lambda: len(bench.began) == 2)
        return bench.began, bench.most

    assert _run(scenario, parallel_max=4) == (["T-1", "T-1"], 1)


def test_a_job_comes_again_when_it_asks_for_it_and_else_rests():
    async def scenario(bench: Bench) -> tuple[list[str], int]:
        bench.answers["T-1"] = [1, 1, None]
        bench.go.set()
        bench.rounds.wake("T-1")
        await bench.until(lambda: len(bench.began) == 3)
        await asyncio.sleep(0)
        return bench.began, len(bench.rounds)

    assert _run(scenario) == (["T-1"] * 3, 0)


def test_an_error_is_a_line_with_code_and_id_and_the_job_comes_again():
    async def scenario(bench: Bench) -> str:
        bench.answers["T-1"] = [ValueError("a secret"), None]
        bench.go.set()
        bench.rounds.wake("T-1")
        bench.rounds.wake("T-2")
        await bench.until(lambda: bench.began.count("T-1") == 2)
        return bench.log.getvalue()

    log = _run(scenario)

    assert '"event":"loop_error"' in log
    assert '"error":"ValueError"' in log
    assert '"key":"T-1"' in log
    assert "secret" not in log


def test_a_wake_brings_forward_what_was_to_come_later():
    async def scenario(bench: Bench) -> list[str]:
        bench.go.set()
        bench.rounds.wake("T-1", after_s=3600)
        bench.rounds.wake("T-1")
        bench.rounds.wake("T-1", after_s=3600)
        await bench.until(lambda: bench.began == ["T-1"])
        return bench.began

    assert _run(scenario) == ["T-1"]


def test_a_stop_waits_for_what_ends_in_time_and_drops_the_rest():
    async def scenario(bench: Bench) -> tuple[int, int]:
        bench.rounds.wake("T-1")
        await bench.until(lambda: len(bench.began) == 1)
        stopping = asyncio.create_task(bench.rounds.stop(SEEN_S))
        await asyncio.sleep(0)
        bench.rounds.wake("T-2")
        bench.go.set()
        await stopping
        return len(bench.began), bench.at_work

    assert _run(scenario) == (1, 0)


def test_a_stop_without_grace_drops_a_job_that_hangs():
    async def scenario(bench: Bench) -> int:
        bench.rounds.wake("T-1")
        await bench.until(lambda: len(bench.began) == 1)
        await bench.rounds.stop(0.0)
        return bench.rounds.running

    assert _run(scenario) == 0


def test_who_is_known_is_found_when_it_is_due_and_who_is_not_at_once():
    async def scenario(bench: Bench) -> list[str]:
        bench.go.set()
        bench.rounds.wake("T-1", after_s=3600)
        bench.rounds.find("T-1")
        bench.rounds.find("T-2")
        await bench.until(lambda: bench.began == ["T-2"])
        bench.rounds.find("T-3")
        await bench.until(lambda: "T-3" in bench.began)
        return bench.began

    assert _run(scenario) == ["T-2", "T-3"]


def test_who_is_at_work_is_not_found_again():
    async def scenario(bench: Bench) -> list[str]:
        bench.rounds.find("T-1")
        await bench.until(lambda: bench.began == ["T-1"])
        bench.rounds.find("T-1")
        bench.go.set()
        bench.rounds.find("T-2")
        await bench.until(lambda: "T-2" in bench.began)
        return bench.began

    assert _run(scenario) == ["T-1", "T-2"]
