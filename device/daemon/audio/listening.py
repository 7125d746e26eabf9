"""Runs the models of one configuration on one stream, at the hop that the machine can keep up with.

A reload makes a new one. Knows no source, no sink and no thread; the clock is an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.audio.overload import OverloadControl
from device.daemon.background_opening import BackgroundOpening, start_thread
from device.errors import one_sentence
from device.messages import Heard, OperationNote
from device.runtime.bundle_trial.trial_process import never
from device.runtime.model_loader import open_models

if TYPE_CHECKING:
    from collections.abc import Callable

    from device.config.settings import Settings
    from device.daemon.background_opening import Work
    from device.messages import AudioBlock, NoAudio
    from device.runtime.model_loader import OpenModels

REOPEN_AFTER_S = 5.0
"""Delay before a failing model is reopened; it doubles with each attempt."""

REOPEN_MOST_S = 60.0


class ModelRunner:
    """Opens models and feeds them audio, until `close`.

    Args:
        settings: of the daemon.
        stream_id: prefix of event ids; never reused.
        sheds: whether the hop may be widened in overload.
        is_stopped: whether nobody needs the models any more, which ends their trial.
        start: runs a piece of work that waits for a disk; None for a thread.

    Raises:
        StoppedError: nobody needs the models any more.
        AuricleError: a model cannot be opened, or does not support the configured hop.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        stream_id: str,
        sheds: bool,
        is_stopped: Callable[[], bool] = never,
        start: Callable[[Work], None] | None = None,
    ) -> None:
        self.settings = settings
        self._is_stopped = is_stopped
        self.models = open_models(settings, is_stopped=is_stopped)
        self.listener = self.models.listener(settings, stream_id)
        self._overload_control = OverloadControl(
            settings.listen.hop_s,
            widest_s=self.listener.widest_hop_s,
            widen_up_to=settings.listen.widen_up_to if sheds else 1,
        )
        self._failed_since_s: float | None = None
        self._reopen_after_s = REOPEN_AFTER_S
        self._start = start or start_thread
        self._opening: BackgroundOpening[OpenModels] | None = None

    def __repr__(self) -> str:
        return f"ModelRunner({self.listener!r} every {self.listener.hop_s:g} s)"

    def close(self) -> None:
        """Close the networks."""
        if self._opening is not None:
            self._opening.discard()
            self._opening = None
        self.models.__exit__(None, None, None)

    def push(self, item: AudioBlock | NoAudio) -> Heard:
        """Pass one item to the listener; returns its results."""
        return self.listener.push(item)

    def finish(self, reason: str) -> Heard:
        """End the stream for these models; returns the last results."""
        return self.listener.finish(reason)

    @property
    def configured_sensitivity(self) -> dict[tuple[str, str], int]:
        """(model, label) -> steps, as configured, of every label that is decided about."""
        return {label: point.sensitivity for label, point in self.models.configured.items()}

    def set_sensitivity(self, label: tuple[str, str], sensitivity: int) -> None:
        """Decide about a (model, label) with this sensitivity from the next window on."""
        self.listener.change_point(*label, self.models.configured[label].at(sensitivity))

    def adapt_hop(self, backlog_s: float, now_s: float) -> OperationNote | None:
        """Widen or narrow the hop to suit the backlog; returns a note if it changed."""
        before_s, hop_s = self.listener.hop_s, self._overload_control.step(backlog_s, now_s)
        if hop_s == before_s:
            return None
        self.listener.change_hop(hop_s)
        if hop_s > before_s:
            detail = f"a window every {hop_s:g} s instead of {before_s:g} s: {backlog_s:.1f} s of sound wait"
        else:
            detail = f"a window every {hop_s:g} s again instead of {before_s:g} s: the machine keeps up"
        return OperationNote("hop", detail)

    def reopen_failed(self, now_s: float) -> OperationNote | None:
        """Reopen failing models, after a delay that doubles with each attempt; returns a note on what came of it.

        A disk may hang, so the models are opened in a thread, and replaced here once they are open.
        """
        if self._opening is not None:
            return self._replace_opened(self._opening)
        if not self.listener.is_failing:
            self._failed_since_s, self._reopen_after_s = None, REOPEN_AFTER_S
            return None
        if self._failed_since_s is None:
            self._failed_since_s = now_s
        if now_s - self._failed_since_s < self._reopen_after_s:
            return None
        self._failed_since_s, self._reopen_after_s = now_s, min(2 * self._reopen_after_s, REOPEN_MOST_S)
        try:
            self._opening = BackgroundOpening(self._open_again, _close, self._start)
        except RuntimeError as error:  # no thread can be started
            return _refused(str(error))
        return self._replace_opened(self._opening)

    def _open_again(self) -> OpenModels:
        return open_models(self.settings, is_stopped=self._is_stopped)

    def _replace_opened(self, opening: BackgroundOpening[OpenModels]) -> OperationNote | None:
        fresh = opening.result
        if fresh is None:
            return None
        self._opening = None
        if isinstance(fresh, Exception):
            return _refused(one_sentence(fresh))
        if fresh.listed != self.models.listed:
            fresh.__exit__(None, None, None)
            return OperationNote("reload_refused", "a failing model's bundle is another one by now; reload to take it")
        self.listener.replace_networks({model.name: model.network for model in fresh.listening})
        self.models.__exit__(None, None, None)
        self.models = fresh
        return OperationNote("reloaded", "a model failed and was opened again")


def _close(models: OpenModels) -> None:
    models.__exit__(None, None, None)


def _refused(why: str) -> OperationNote:
    return OperationNote("reload_refused", f"a failing model cannot be opened again: {why}")
