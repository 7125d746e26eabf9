"""A wish to end reaches whoever listens, whatever a library makes of it."""

from __future__ import annotations

import os
import signal

import pytest

from training.train.system.stop_request import StopRequest, TrainingStopped


def test_a_signal_ends_what_runs() -> None:
    with pytest.raises(TrainingStopped, match="the same command goes on") as stopped, StopRequest().listening():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stopped.value.signal_number == signal.SIGTERM


def test_a_library_that_wraps_what_the_signal_raised_ends_it_all_the_same() -> None:
    with pytest.raises(TrainingStopped) as stopped, StopRequest().listening():
        _load_network()
    assert stopped.value.signal_number == signal.SIGTERM


def _load_network() -> None:
    """Is ended by a signal in the middle, and makes an error of its own of it, as Keras does."""
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Exception as error:
        raise TypeError("a layer could not be deserialized") from error


def test_an_error_without_a_signal_is_that_error() -> None:
    with pytest.raises(TypeError, match="a layer"), StopRequest().listening():
        raise TypeError("a layer could not be deserialized")


def test_within_a_block_that_only_notes_a_signal_nothing_is_raised() -> None:
    stop = StopRequest()
    with stop.listening(), stop.noted_only():
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.wanted


def test_what_took_signals_before_takes_them_again() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest().listening():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
