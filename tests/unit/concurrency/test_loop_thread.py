import asyncio
import os
import threading

import pytest

from dashboard.concurrency.loop_thread import DeadlineExceeded, LoopThread


@pytest.fixture
def loop():
    thread = LoopThread()
    yield thread
    thread.stop()


async def where() -> tuple[int, int]:
    return threading.get_ident(), id(asyncio.get_running_loop())


def test_nothing_runs_before_the_first_call(loop: LoopThread):
    before = threading.active_count()
    LoopThread()
    assert threading.active_count() == before


def test_all_threads_share_one_loop_in_a_thread_of_its_own(loop: LoopThread):
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(loop.call(where, 5))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert seen[0][0] != threading.get_ident()


def test_what_the_coroutine_raises_reaches_the_caller(loop: LoopThread):
    async def fail() -> None:
        raise ValueError("its own")

    async def time_out() -> None:
        raise TimeoutError("its own too")

    with pytest.raises(ValueError, match="its own"):
        loop.call(fail, 5)
    with pytest.raises(TimeoutError, match="its own too"):
        loop.call(time_out, 5)


def test_a_deadline_holds_and_cancels_what_still_runs(loop: LoopThread):
    cancelled = threading.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(DeadlineExceeded):
        loop.call(never, 0.2)
    assert cancelled.wait(10)


def test_the_caller_goes_on_even_if_the_coroutine_will_not_be_cancelled(loop: LoopThread):
    over = threading.Event()

    async def stubborn() -> None:
        while not over.is_set():
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                continue

    with pytest.raises(DeadlineExceeded):
        loop.call(stubborn, 0.2)
    over.set()
    assert loop.call(where, 5)


def test_it_starts_again_after_a_stop(loop: LoopThread):
    before = set(threading.enumerate())
    loop.call(where, 5)
    (first,) = set(threading.enumerate()) - before
    loop.stop()
    assert not first.is_alive()
    assert loop.call(where, 5)


def test_a_call_from_the_loops_own_thread_is_refused(loop: LoopThread):
    async def inside() -> None:
        loop.call(where, 5)

    with pytest.raises(RuntimeError, match="own thread"):
        loop.call(inside, 5)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_it_starts_anew_in_a_forked_process(loop: LoopThread):
    loop.call(where, 5)
    child = os.fork()
    if child == 0:
        try:
            loop.call(where, 5)
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
