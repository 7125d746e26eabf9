"""What a configuration names outside its file: bundles, labels, passwords, certificates, zones and folders."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.file_errors import key_is, unreadable
from device.config.push.notify_settings import CREDENTIAL
from device.config.settings import missing_models, missing_sentence
from device.config.wording import alternatives, shown
from device.errors import ConfigError, ConfiguredError
from device.messages import LOUD
from device.runtime.clocks import zone_of
from device.runtime.model_library import shipped_bundles
from device.runtime.model_loader import configured_bundle, trusted_key
from device.runtime.secrets.microphone_login import check_authorities, stream_password
from device.runtime.secrets.page_certificate import check_certificate
from device.runtime.secrets.secret_files import read_line, read_secret
from device.sinks.mqtt.connection import read_password, tls_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from device.config.key_lines import KeyPath
    from device.config.settings import Settings
    from device.config.web_settings import WebSettings
    from device.hearing.bundle.signature import PublicKey

_FILES_OF_BROKER = ("password_file", "ca_file", "cert_file", "key_file")


def outside_mistakes(settings: Settings) -> Iterator[ConfiguredError]:
    """Yield every mistake in what the settings name outside their file; each names its key.

    Args:
        settings: with absolute paths.
    """
    labels: list[str] = []
    raising: list[str] = []
    of_models = list(_models(settings, labels, raising))
    yield from of_models
    if settings.loudness.is_on:
        labels.append(LOUD)
        raising.append(LOUD)
    if not of_models:  # else it is not known which labels there are
        yield from _unknown_labels(settings, labels)
        yield from _unscheduled(settings, raising)
    yield from _raised(lambda: zone_of(settings.alarms.time_zone))
    yield from _of_connections(settings)
    yield from _secrets(settings)
    yield from _folders(settings)


def _of_connections(settings: Settings) -> Iterator[ConfiguredError]:
    """Files of passwords and certificates: each that cannot be read, and what is wrong with the others.

    Whether a file is there is seen even if another key, such as `tls`, says that it is not used: that key may be wrong.
    """
    mqtt, microphone = settings.mqtt, settings.microphone
    files: dict[KeyPath, str | None] = {("mqtt", name): getattr(mqtt, name) for name in _FILES_OF_BROKER}
    files |= {("microphone", name): getattr(microphone, name) for name in ("password_file", "ca_file")}
    files |= {("notify", index, "ca_file"): each.ca_file for index, each in enumerate(settings.notify)}
    files |= {("web", name): getattr(settings.web, name) for name in ("cert_file", "key_file")}
    unread = {error.key: error for key, path in files.items() if path is not None for error in _unread(key, path)}
    yield from unread.values()
    if ("mqtt", "password_file") not in unread:
        yield from _raised(lambda: read_password(mqtt))
    if ("microphone", "password_file") not in unread and microphone.password_file is not None:
        yield from _raised(lambda: stream_password(microphone))
    if ("microphone", "ca_file") not in unread:
        yield from _raised(lambda: check_authorities(microphone))
    if ("mqtt", "ca_file") not in unread:
        yield from _raised(lambda: tls_context(replace(mqtt, cert_file=None, key_file=None)))
    if unread.keys().isdisjoint({("mqtt", "cert_file"), ("mqtt", "key_file")}):
        yield from _raised(lambda: tls_context(replace(mqtt, ca_file=None)))
    if unread.keys().isdisjoint({("web", "cert_file"), ("web", "key_file")}) and _is_ours(settings.web):
        yield from _raised(lambda: check_certificate(settings.web))


def _is_ours(web: WebSettings) -> bool:
    """Whether this user may read certificate and key of the page, which is another user's process."""
    return all(path is None or os.access(path, os.R_OK) for path in (web.cert_file, web.key_file))


def _unread(key: KeyPath, path: str) -> Iterator[ConfigError]:
    """That a file cannot be read. The page's are another user's, who alone may read them."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))  # a FIFO does not block
        if Path(path).is_dir():
            raise IsADirectoryError
    except (OSError, ValueError) as error:
        if not (key[0] == "web" and isinstance(error, PermissionError)):
            yield ConfigError(unreadable(key, path, error), key=key)


def _secrets(settings: Settings) -> Iterator[ConfiguredError]:
    """Files with addresses, tokens and keys of push."""
    for index, each in enumerate(settings.notify):
        for name in ("address_file", "token_file", "user_file"):
            path = getattr(each, name)
            if path is not None:
                yield from _raised(partial(read_secret, Path(path), ("notify", index, name)))
    if settings.watcher.url_file not in {None, CREDENTIAL}:
        yield from _raised(partial(read_line, Path(str(settings.watcher.url_file)), ("watcher", "url_file")))


def _raised(check: Callable[[], object]) -> Iterator[ConfiguredError]:
    try:
        check()
    except ConfiguredError as error:
        yield error


def _unknown_labels(settings: Settings, labels: Sequence[str]) -> Iterator[ConfigError]:
    """A label that no model has would never be sent, and nobody would notice before the night."""
    for index, each in enumerate(settings.notify):
        for label in each.labels or ():
            if label not in labels:
                there = alternatives([shown(name) for name in dict.fromkeys(labels)])
                wrong = f'"labels" in [[notify]] has {shown(label)}, which no model listens for; there may be {there}'
                yield ConfigError(wrong, key=("notify", index, "labels"))


def _unscheduled(settings: Settings, labels: Sequence[str]) -> Iterator[ConfigError]:
    """A misspelt label would raise alarms at hours when nobody wants them."""
    for each in settings.schedule:
        if each.name not in labels:
            there = alternatives([shown(name) for name in dict.fromkeys(labels)]) if labels else "none"
            wrong = f"[schedule.{each.name}] is for a label that raises no alarms; there may be {there}"
            yield ConfigError(wrong, key=("schedule", each.name))


def _models(settings: Settings, labels: list[str], raising: list[str]) -> Iterator[ConfiguredError]:
    """Adds the labels of the models to `labels`; while it runs, they are those of the models further up.

    Those that raise alarms are added to `raising`, too. Of a bundle that cannot be read, the label of its model's name
    is taken for granted: whoever corrects it finds the model that follows it in order.
    """
    key: PublicKey | None = None
    unread: set[str] = set()
    try:
        key = trusted_key(settings)
    except ConfiguredError as error:
        yield error
    for model in settings.listening:
        if model.listens_while is not None and model.listens_while not in {*labels, *unread}:
            there = (
                f"it must be {alternatives([shown(name) for name in labels])}" if labels else "there is no such model"
            )
            is_wrong = f'"listens_while" in [model.{model.name}] is {shown(model.listens_while)}'
            wrong = f"{is_wrong}, no label of a model further up"
            yield ConfigError(f"{wrong}; {there}", key=("model", model.name, "listens_while"))
        missing = missing_models(settings, shipped_bundles())
        if model.bundle in missing:
            yield ConfigError(missing_sentence(settings, (model.bundle,)), key=("model", model.name, "bundle"))
            continue
        try:
            bundle = configured_bundle(model, key)
            labels += [label.name for label in bundle.labels if label.role != "verdict"]
            raising += [label.name for label in bundle.labels if label.role == "alarm"]
        except ConfiguredError as error:
            unread.add(model.name)
            yield error


def _folders(settings: Settings) -> Iterator[ConfigError]:
    """The folders of journal and log must be there; that of clips is made."""
    for table, file in (("journal", settings.journal.file), ("log", settings.log.file)):
        if file not in {None, "auto"} and not Path(str(file)).parent.is_dir():
            why = f"and {Path(str(file)).parent} is no folder; make it, or name another file"
            yield ConfigError(f"{key_is((table, 'file'), str(file))}, {why}", key=(table, "file"))
