"""`auricle models install`: a new bundle verified, put in place, taken by the daemon, watched, or taken back.

The hook for any updater: it brings the file, this does the rest, and the exit code says whether the new model runs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device.commands import MAX_WHY_CHARACTERS
from device.config.loading import load_config, locating
from device.config.profiles import DEFAULT_PROFILE
from device.config.wording import alternatives, shown
from device.errors import AuricleError, BundleError, ConfigError, ServiceError
from device.hearing.bundle.reader import decode_bundle, file_bytes
from device.hearing.listening_model import check_hop
from device.printable import printable
from device.runtime.model_loader import configured_bundle, tried_bundles, trusted_key
from device.runtime.paths import instance_name, status_sockets
from device.tools.models.bundle_swap import BundleSwap
from device.tools.models.daemon_watch import DaemonWatch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from device.config.settings import ModelSettings, Settings
    from device.hearing.bundle.contents import Bundle

WATCH_S = 60.0
"""How long a new model is watched before the old one is let go."""

_TAKEN_BACK_WITHIN_S = 30.0
_RETRY_S = 1.0


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """What to install, and where.

    Attributes:
        file: the new bundle.
        config: of the daemon; its [model.NAME] says which file is replaced.
        model: NAME of that table; None for the only one whose bundle is a file.
        instance: of the daemon; None for the name of the configuration.
        watch_s: how long the daemon is watched.
        offline: put it in place alone, whatever runs.
    """

    file: Path
    config: str
    model: str | None = None
    instance: str | None = None
    watch_s: float = WATCH_S
    offline: bool = False


def install(options: InstallOptions, environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Install a bundle; one line for each step that succeeded.

    Raises:
        BundleError: it does not hold, or was taken back; the sentence says which.
        ConfigError: the configuration does not hold, or names no such file.
        SpecError: its network carries its past at another hop than the configuration's.
        ServiceError: the daemon cannot be asked, or another installation goes on.
        OSError: the file cannot be put in place.
    """
    with locating(options.config):
        settings = load_config(options.config)
        model = _replaced(settings, options.model)
        data, bundle = _verified(options.file, settings, model)
    yield f"verified: {bundle.name} {bundle.version}, sha256 {bundle.sha256}"
    target = Path(model.bundle)
    if _holds(target, data):
        yield f"{target} is this bundle already"
        return
    watch = None if options.offline else _watch(options, environment)
    with BundleSwap(target) as swap:
        swap.put(data)
        yield f"in its place: {target}"
        if watch is None:
            yield "no daemon was asked: the next start or reload takes it"
        else:
            yield from _taken(watch, swap, bundle, options.watch_s)
        swap.confirm()


def _replaced(settings: Settings, name: str | None) -> ModelSettings:
    """The model whose file is replaced.

    Raises:
        ConfigError: none, or several, could be meant.
    """
    files = {model.name: model for model in settings.listening if model.is_file}
    if name is None and len(files) == 1:
        return next(iter(files.values()))
    if name in files:
        return files[name]
    if not files:
        raise ConfigError('no model has a file of its own: set "bundle" in [model.NAME] to the path of one')
    what = "several models have files" if name is None else f"no model with a file is named {shown(name)}"
    raise ConfigError(f"{what}: give --model {alternatives(list(files))}")


def _verified(file: Path, settings: Settings, model: ModelSettings) -> tuple[bytes, Bundle]:
    """The bytes of a bundle that the key signed, that passed its trial and fits the settings, and the bundle."""
    key = trusted_key(settings)
    sha256 = tried_bundles([file], key, compares=True)[file]
    data = file_bytes(file)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BundleError(f"{file}: the file changed while it was tried; try again")
    configured_bundle(dataclasses.replace(model, bundle=str(file.resolve())), key)  # its labels are those configured
    bundle = decode_bundle(data)
    check_hop(model.name, None if bundle.head is None else bundle.head.hop_s, settings.listen.hop_s)
    return data, bundle


def _holds(target: Path, data: bytes) -> bool:
    with contextlib.suppress(OSError):
        return target.read_bytes() == data
    return False


def _watch(options: InstallOptions, environment: Mapping[str, str]) -> DaemonWatch | None:
    name = instance_name(options.instance, config=options.config, profile=DEFAULT_PROFILE)
    status = status_sockets(environment).get(name)
    return None if status is None else DaemonWatch(status)


def _taken(watch: DaemonWatch, swap: BundleSwap, bundle: Bundle, watch_s: float) -> Iterator[str]:
    """Let the daemon take the new bundle and watch it, or take it back."""
    what = f"{bundle.name} {bundle.version} ({bundle.sha256[:12]})"
    try:
        watch.load(bundle.sha256, f"{what} was installed")
        yield "the daemon runs it"
        watch.live(watch_s)
        yield f"the daemon ran it for {watch_s:g} s; the old one is let go"
    except (AuricleError, KeyboardInterrupt) as error:
        why = str(error) or "the installation was interrupted"
        before = "the one before is" if swap.take_back() else "there was none before, so no model is"
        noted = _reloaded(watch, f"{what} was taken back: {why}")
        sentence = f"{what} was installed and taken back, {before} in its place: {why}"
        raise BundleError(
            sentence if noted else f"{sentence}; the daemon takes no command and has to be started"
        ) from None


def _reloaded(watch: DaemonWatch, why: str) -> bool:
    """Have the daemon read the old bundle again; it may be starting anew. Returns whether it took the command."""
    deadline_s = time.monotonic() + _TAKEN_BACK_WITHIN_S
    while True:
        try:
            watch.reload(_line(why))
        except ServiceError:
            if time.monotonic() > deadline_s:
                return False
            time.sleep(_RETRY_S)
        else:
            return True


def _line(text: str) -> str:
    return printable(text)[:MAX_WHY_CHARACTERS]
