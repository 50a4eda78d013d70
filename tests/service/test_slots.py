"""The queue in front of the slots, turn by turn: order, refusals, those who leave, and the end."""

import asyncio
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from service.metrics import Metrics
from service.problems import ApiError
from service.settings import Settings
from service.slots import Slots

STEP = 0.02


def slots(**settings: Any) -> Slots:
    return Slots(Settings(**settings), Metrics())


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def test_texts_of_several_requests_take_turns() -> None:
    async def scene() -> None:
        queue, done = slots(), list[str]()

        def text(name: str) -> None:
            time.sleep(STEP)
            done.append(name)

        async def request(name: str, count: int) -> None:
            with queue.place():
                for _ in range(count):
                    await queue.run(partial(text, name))

        await asyncio.gather(request("lot", 4), request("autre", 3), request("seul", 1))
        assert done == ["lot", "autre", "seul", "lot", "autre", "lot", "autre", "lot"]

    run(scene())


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_texts_at_once_than_slots(count: int) -> None:
    async def scene() -> None:
        queue, now, most = slots(compute_slots=count), 0, 0

        def text() -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            time.sleep(STEP)
            now -= 1

        await asyncio.gather(*(queue.run(text) for _ in range(9)))
        assert most == count

    run(scene())


def test_a_full_queue_says_when_to_come_back_by_the_time_texts_take() -> None:
    async def scene() -> None:
        queue = slots(max_queue=2)
        for _ in range(60):
            await queue.run(partial(time.sleep, 0.001))
        with queue.place(), queue.place(), queue.place():
            assert queue.full
            with pytest.raises(ApiError) as soon, queue.place():
                pass
            slow = Slots(Settings(max_queue=2), Metrics(), seconds=10)
            with slow.place(), slow.place(), slow.place(), pytest.raises(ApiError) as late, slow.place():
                pass
        assert not queue.full
        assert (soon.value.status, late.value.status) == (503, 503)
        assert soon.value.headers == {"Retry-After": "1"}
        assert late.value.headers == {"Retry-After": "40"}

    run(scene())


def test_a_turn_that_comes_too_late_is_refused_and_the_queue_goes_on() -> None:
    async def scene() -> None:
        queue = slots()
        first = asyncio.create_task(queue.run(partial(time.sleep, 20 * STEP)))
        await asyncio.sleep(STEP)
        patient = asyncio.create_task(queue.run(lambda: "fait"))
        with pytest.raises(ApiError) as refused:
            await queue.run(lambda: None, longest=STEP)
        assert refused.value.status == 503
        assert await patient == "fait"
        await first

    run(scene())


def test_who_leaves_gives_the_turn_to_the_next() -> None:
    async def scene() -> None:
        queue = slots()
        for _ in range(20):
            first = asyncio.create_task(queue.run(partial(time.sleep, STEP / 4)))
            await asyncio.sleep(0)
            leaving = [asyncio.create_task(queue.run(lambda: None)) for _ in range(3)]
            last = asyncio.create_task(queue.run(lambda: "fait"))
            await asyncio.sleep(0)
            leaving[0].cancel()
            await first
            # This one has just been given its turn.
            leaving[1].cancel()
            leaving[2].cancel()
            assert await last == "fait"
        assert await queue.run(lambda: "libre") == "libre"

    run(scene())


def test_when_all_stops_those_who_wait_are_told() -> None:
    async def scene() -> None:
        queue = slots()
        first = asyncio.create_task(queue.run(partial(time.sleep, 5 * STEP)))
        await asyncio.sleep(STEP)
        waiting = [asyncio.create_task(queue.run(lambda: None)) for _ in range(3)]
        await asyncio.sleep(STEP)
        queue.stop()
        for task in (*waiting, asyncio.create_task(queue.run(lambda: None))):
            with pytest.raises(ApiError, match="s'arrête") as refused:
                await task
            assert refused.value.status == 503
        await first
        with pytest.raises(ApiError), queue.stream():
            pass

    run(scene())
