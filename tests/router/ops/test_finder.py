"""A tenant that nobody knows is asked for once, however many workers ask."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from cell_router.server.finder import ASKED_MAX, Finder


def found(questions, ask, until):
    """Ask `questions`; return what was answered once `until` answers are there."""
    answers = []

    async def run():
        with ThreadPoolExecutor(2) as threads:
            finder = Finder(ask, threads, lambda *answer: answers.append(answer))
            for worker, tenant in questions:
                finder.find(worker, tenant)
            while len(answers) < until:
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 20))
    return answers


def test_each_worker_that_asked_is_answered_and_the_source_is_asked_once():
    asked = []

    def ask(tenant):
        asked.append(tenant)
        return tenant == "here"

    answers = found([(1, "here"), (2, "here"), (3, "gone")], ask, 3)

    assert sorted(answers) == [(1, "here", True), (2, "here", True), (3, "gone", False)]
    assert sorted(asked) == ["gone", "here"]


def test_a_source_that_cannot_say_is_not_a_no():
    assert found([(1, "t")], lambda _tenant: None, 1) == [(1, "t", None)]


def test_what_is_no_tenant_is_not_asked_for():
    asked = []

    assert found([(1, "../x")], asked.append, 1) == [(1, "../x", False)]
    assert asked == []


def test_more_questions_than_there_is_room_for_cannot_be_answered():
    may_go = threading.Event()
    questions = [(1, f"t{n}") for n in range(ASKED_MAX + 5)]

    def ask(_tenant):
        return may_go.wait(20)

    def answer_count():
        threading.Timer(0.05, may_go.set).start()
        return len(questions)

    answers = found(questions, ask, answer_count())

    assert answers[:5] == [(1, f"t{ASKED_MAX + n}", None) for n in range(5)]
    assert sum(present is True for _, _, present in answers) == ASKED_MAX
