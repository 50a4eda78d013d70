"""A time limit ends an analysis between two steps, in its own thread alone, and leaves nothing behind."""

import threading
import time

import pytest
import regex

from model import deadline
from model.analyser import Analyser
from model.errors import OutOfTime
from model.screen import spans

TEXT = "Soin énergétique pour tous, 60 € la séance, sur rendez-vous au cabinet. "


def test_work_ends_once_its_time_is_over() -> None:
    with deadline.within(30):
        with deadline.within(0.01):
            deadline.check()
            time.sleep(0.02)
            with pytest.raises(OutOfTime):
                deadline.check()
        deadline.check()


def test_an_outer_limit_that_ends_earlier_holds() -> None:
    with deadline.within(0.01), deadline.within(30):
        time.sleep(0.02)
        with pytest.raises(OutOfTime):
            deadline.check()


def test_a_search_without_end_ends_with_its_time() -> None:
    endless = regex.compile(r"(?:a|aa)+b")
    started = time.monotonic()
    with pytest.raises(OutOfTime), deadline.within(0.05):
        spans(endless, "a" * 5_000, None)
    with pytest.raises(OutOfTime), deadline.within(0.05):
        spans(endless, "a" * 5_000, [0])
    assert time.monotonic() - started < 10
    assert spans(endless, "aab", None) == [(0, 3)]


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_limit_is_a_number_of_seconds(seconds: float) -> None:
    with pytest.raises(ValueError, match="supérieur à 0"), deadline.within(seconds):
        pass


def test_a_limit_holds_for_its_thread_alone() -> None:
    ended = []

    def other() -> None:
        deadline.check()
        ended.append(True)

    with deadline.within(0.01):
        time.sleep(0.02)
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert ended == [True]


def test_a_long_analysis_is_ended_soon_and_the_next_one_is_whole(analyser: Analyser) -> None:
    long = TEXT * 250
    expected = analyser.predict(TEXT)
    for seconds in (0.001, 0.02, 0.1):
        started = time.monotonic()
        with pytest.raises(OutOfTime), deadline.within(seconds):
            analyser.predict(long)
        # One step of a text of 18,000 characters takes some tenths of a second.
        assert time.monotonic() - started < seconds + 3
    assert analyser.predict(TEXT) == expected
