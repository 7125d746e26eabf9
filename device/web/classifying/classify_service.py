"""What stands behind `POST /api/classify`: which models a recording may be heard with, and how many at a time."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from device.config.profiles import PROFILES
from device.config.wording import alternatives
from device.printable import excerpt
from device.runtime.model_library import shipped_bundles
from device.web.classifying.classify_child import Wanted
from device.web.classifying.classify_process import NotHeardError
from device.web.classifying.private_folder import PrivateFolder, delete_abandoned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from device.config.settings import Settings

MOST_AT_ONCE = 1
"""A Raspberry Pi has processors and memory for one beside the daemon; others are asked to come again."""

DATA_BYTES = 192 * 2**20
"""Memory that one may allocate: 117 MB for ten minutes and two models, of which it touches less than half."""

_SHOWN_CHARACTERS = 60
_EMPTIED_WITHIN_S, _ASKS_EVERY_S = 3.0, 0.01
_FREE_WITHIN_S = 1.0  # whoever sends the next at once does so while the last is being deleted


@dataclass(frozen=True, slots=True)
class Choice:
    """What a request asks to hear with.

    Attributes:
        profile: empty for the page's own configuration.
        models: names or files of bundles; empty for those of the profile or configuration.
    """

    profile: str = ""
    models: tuple[str, ...] = ()


class ClassifyService:
    """Knows what may be asked, and bounds how much at a time.

    Args:
        settings: of the instance.
        config: the file of the settings; None for a profile alone.
        folder: for recordings while they are heard; what an earlier page left there is deleted.
    """

    def __init__(self, settings: Settings, config: str | None, folder: Path) -> None:
        self.web = settings.web
        self._profile = "" if config else settings.profile
        self._config = "" if config is None else str(Path(config).absolute())
        self._folder = folder
        own = {model.name: model.bundle for model in settings.models if model.is_file}
        self._models = {**own, **{name: name for name in shipped_bundles()}}
        self._count = 0
        delete_abandoned(folder)

    @property
    def max_bytes(self) -> int:
        """Of a recording."""
        return self.web.classify_max_mb * 10**6

    def choice(self, parameters: Iterable[tuple[str, str]]) -> Choice:
        """What the parameters of an address ask for.

        Raises:
            NotHeardError: there is no such parameter, model or profile.
        """
        profile, models = "", []
        for name, value in parameters:
            if name == "profile" and profile:
                raise NotHeardError(400, "profile is given more than once: give it once")
            if name == "profile":
                profile = _known("profile", value, PROFILES)
            elif name == "model":
                models.append(self._models[_known("model", value, self._models)])
            else:
                raise NotHeardError(400, f"{_shown(name)} is no parameter; model and profile are")
        return Choice(profile, tuple(dict.fromkeys(models)))

    @contextlib.asynccontextmanager
    async def folder(self) -> AsyncIterator[Path]:
        """A private folder for one recording, deleted at the end.

        Raises:
            NotHeardError: too many are heard now, or there can be no such folder.
        """
        if not await self._is_free(_FREE_WITHIN_S):
            raise NotHeardError(503, "another recording is being heard: try again in some seconds")
        try:
            folder = PrivateFolder(self._folder)
        except OSError as error:
            raise NotHeardError(507, f"it cannot be kept while it is heard: {error.strerror}") from None
        self._count += 1
        try:
            with folder:
                yield folder.path
        finally:
            self._count -= 1

    async def emptied(self) -> None:
        """Wait, for some seconds, until every recording is deleted: the requests were cancelled, the server ends."""
        await self._is_free(_EMPTIED_WITHIN_S, most=0)

    async def _is_free(self, within_s: float, *, most: int = MOST_AT_ONCE - 1) -> bool:
        """Whether at most so many recordings are heard now, or soon."""
        asked = 0.0
        while self._count > most and asked < within_s:
            await asyncio.sleep(_ASKS_EVERY_S)
            asked += _ASKS_EVERY_S
        return self._count <= most

    def wanted(self, choice: Choice, file: str) -> Wanted:
        """What the process that hears a file is told."""
        return Wanted(
            cpu_s=self.web.classify_within_s,
            data_bytes=DATA_BYTES,
            longest_s=self.web.classify_max_s,
            config=self._config,
            profile=choice.profile or self._profile,
            file=file,
            models=choice.models,
        )


def _known(what: str, value: str, known: Iterable[str]) -> str:
    """The value itself. Raises NotHeardError if it is unknown."""
    if value in known:
        return value
    raise NotHeardError(400, f"no {what} is named {_shown(value)}; it must be {alternatives(list(known))}")


def _shown(text: str) -> str:
    return f"'{excerpt(text, _SHOWN_CHARACTERS)}'"
