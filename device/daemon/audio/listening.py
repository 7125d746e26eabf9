"""The models under one configuration, listening to one stream, at the hop that the machine keeps up with.

Made anew where the configuration is read again. Knows no source, no sink and no thread; the clock is
an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.daemon.audio.overload import OverloadControl
from device.errors import AuricleError
from device.messages import Heard, OperationNote
from device.runtime.model_loader import open_models

if TYPE_CHECKING:
    from device.config.settings import Settings
    from device.messages import AudioBlock, NoAudio

RENEW_AFTER_S = 5.0
RENEW_MOST_S = 60.0


class ModelRunner:
    """Opens the models and listens with them; `close` lets them go.

    Args:
        settings: of the daemon.
        stream_id: what event ids begin with; never used twice.
        sheds: whether the hop may be widened.

    Raises:
        AuricleError: a model cannot be opened, or cannot listen at this hop.
    """

    def __init__(self, settings: Settings, *, stream_id: str, sheds: bool) -> None:
        self.settings = settings
        self.models = open_models(settings)
        self.listener = self.models.listener(settings, stream_id)
        self._overload_control = OverloadControl(
            settings.listen.hop_s,
            widest_s=self.listener.widest_hop_s,
            widen_up_to=settings.listen.widen_up_to if sheds else 1,
        )
        self._failed_since_s: float | None = None
        self._renew_s = RENEW_AFTER_S

    def __repr__(self) -> str:
        return f"ModelRunner({self.listener!r} every {self.listener.hop_s:g} s)"

    def close(self) -> None:
        """Let the networks go."""
        self.models.__exit__(None, None, None)

    def push(self, item: AudioBlock | NoAudio) -> Heard:
        """What the listener makes of it."""
        return self.listener.push(item)

    def finish(self, reason: str) -> Heard:
        """The stream ends for these models."""
        return self.listener.finish(reason)

    def adapt_hop(self, backlog_s: float, now_s: float) -> OperationNote | None:
        """Widen or narrow the hop as the sound that waits demands; what was done, if anything."""
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
        """Open failing models again, after a while that doubles; what was done, if anything."""
        if not self.listener.is_failing:
            self._failed_since_s, self._renew_s = None, RENEW_AFTER_S
            return None
        if self._failed_since_s is None:
            self._failed_since_s = now_s
        if now_s - self._failed_since_s < self._renew_s:
            return None
        self._failed_since_s, self._renew_s = now_s, min(2 * self._renew_s, RENEW_MOST_S)
        return self._renew()

    def _renew(self) -> OperationNote:
        try:
            fresh = open_models(self.settings)
        except AuricleError as error:
            return OperationNote("reload_refused", f"a failing model cannot be opened again: {error}")
        if fresh.listed != self.models.listed:
            fresh.__exit__(None, None, None)
            return OperationNote("reload_refused", "a failing model's bundle is another one by now; reload to take it")
        self.listener.replace_networks({model.name: model.network for model in fresh.listening})
        self.close()
        self.models = fresh
        return OperationNote("reloaded", "a model failed and was opened again")
