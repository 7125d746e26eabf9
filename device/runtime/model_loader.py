"""Opens the models that the settings name, after a trial of each in a child process, and verifies them here."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, Self

from device.config.file_errors import key_is, unreadable
from device.config.settings import ModelSettings, missing_models, missing_sentence
from device.config.wording import alternatives
from device.errors import BundleError, ConfigError
from device.hearing.bundle.reader import check_signed, read_bundle
from device.hearing.bundle.signature import PublicKey
from device.hearing.classifier import Classifier, load_runtime
from device.hearing.inference.backbone import Backbones
from device.hearing.listener import Listener
from device.hearing.listening_model import ListeningLabel, ListeningModel
from device.hearing.loudness_detector import operating_point
from device.hearing.network.attention import AttentionReader
from device.messages import DECIDED_ROLES, LOUD, LOUDNESS
from device.report.page_content import ListedLabel, ListedModel
from device.runtime.bundle_trial.trial_process import LIMITS, REFERENCE_LIMITS, Trial, never
from device.runtime.model_library import bundle_path, card_line, shipped_bundles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from device.config.alerting.loudness_settings import LoudnessSettings
    from device.config.settings import LabelSettings, Settings
    from device.hearing.bundle.contents import Bundle, Label
    from device.hearing.decision import OperatingPoint
    from device.messages import Priority


@dataclass(frozen=True, slots=True)
class ConfiguredPoint:
    """The operating point of a label as configured.

    Attributes:
        sensitivity: steps that the configuration sets.
        unshifted: with its thresholds at sensitivity 0.
    """

    sensitivity: int
    unshifted: OperatingPoint

    def at(self, sensitivity: int) -> OperatingPoint:
        """The operating point at another sensitivity."""
        point = self.unshifted
        return replace(point, on=shifted(point.on, sensitivity), off=shifted(point.off, sensitivity))


@dataclass(frozen=True, slots=True, eq=False)
class OpenModels:
    """Open, verified models; a context manager that closes their networks.

    Attributes:
        listening: as the listener needs them.
        listed: as reports list them.
        priorities: (model, label) -> priority.
        configured: (model, label) -> sensitivity and operating point, of each label that is decided about.
        tried: path -> SHA-256 of their bundles, which passed a trial: another process need not try these bytes again.
        loudness: the alarm for any loud sound, beside them; it needs no bundle.
    """

    listening: tuple[ListeningModel, ...]
    listed: tuple[ListedModel, ...]
    priorities: dict[tuple[str, str], Priority]
    configured: dict[tuple[str, str], ConfiguredPoint]
    tried: Mapping[Path, str]
    loudness: LoudnessSettings
    _closing: ExitStack = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def beside(self) -> tuple[tuple[str, ListedLabel], ...]:
        """What is decided about beside the models: the name in place of a model's, and the label."""
        point = operating_point(self.loudness)
        if point is None:
            return ()
        return ((LOUDNESS, ListedLabel(LOUD, "alarm", self.loudness.priority, point.on, point.off)),)

    def close(self) -> None:
        """Close the networks; a second call does nothing."""
        self._closing.close()

    def listener(self, settings: Settings, stream_id: str) -> Listener:
        """A new listener with these models.

        Raises:
            SpecError: a model does not support the settings' hop.
        """
        return Listener(
            self.listening,
            stream_id=stream_id,
            hop_s=settings.listen.hop_s,
            gates_to_zero=settings.deafness.gates_to_zero,
            filters=settings.filters,
            loudness=self.loudness,
        )


def open_models(
    settings: Settings,
    wanted: Sequence[str] = (),
    *,
    tried: Mapping[Path, str] | None = None,
    attends: bool = False,
    is_stopped: Callable[[], bool] = never,
) -> OpenModels:
    """Open and verify the models of the settings, or those `wanted` by name or file instead.

    All are tried in one child process first, so that a network can neither end nor hold up this one. A wanted model
    whose bundle the settings name keeps its settings.

    Args:
        settings: that name the models.
        wanted: shipped names or bundle files; empty for the settings' own.
        tried: path -> SHA-256 of the bundles that passed a trial in the process that started this one: only these bytes
            are opened, and they are not tried again. None if there was no trial yet.
        attends: whether what the models attend to is heard too, of those that can say so.
        is_stopped: whether nobody needs the models any more, which ends a trial.

    Raises:
        StoppedError: nobody needs the models any more.
        ConfigError: the settings name a model or a label that does not exist, or two models have one name.
        BundleError: a bundle is damaged, is not signed with the configured key, or fails its trial or verification.
        MissingExtraError: no runtime is installed, or a key is configured and `cryptography` is not.
        ServiceError: no process can be started for the trial.
    """
    chosen, key = _chosen(settings, wanted), trusted_key(settings)
    if tried is None:
        tried = _tried(chosen, key, is_stopped)
    backbones = Backbones()
    with ExitStack() as closing:
        opened = [
            _open(choice, read_tried(choice.path, tried[choice.path], key), _Sharing(backbones, closing, attends))
            for choice in chosen
        ]
        taken = [LOUDNESS] if settings.loudness.is_on else []
        _refuse_duplicate_names([*taken, *(model.listening.name for model in opened)])
        labels = [(model.listed.name, label) for model in opened for label in model.listed.labels]
        return OpenModels(
            listening=tuple(_following([model.listening for model in opened], wanted)),
            listed=tuple(model.listed for model in opened),
            priorities=_priorities(settings, labels),
            configured={
                (model.listening.name, label): point for model in opened for label, point in model.configured.items()
            },
            tried=tried,
            loudness=settings.loudness,
            _closing=closing.pop_all(),
        )
    raise AssertionError("an exit stack swallows no error")


def _following(models: Sequence[ListeningModel], wanted: Sequence[str]) -> Iterator[ListeningModel]:
    """The models; one that is wanted without the model that it follows listens always, or it would never score."""
    before: set[str] = set()
    for model in models:
        yield replace(model, listens_while=None) if wanted and model.listens_while not in before else model
        before |= {label.name for label in model.labels}


def _priorities(settings: Settings, labels: Sequence[tuple[str, ListedLabel]]) -> dict[tuple[str, str], Priority]:
    """(model, label) -> priority, of the models' labels and of the loudness alarm, if there is one."""
    of_models = {(model, label.name): label.priority for model, label in labels}
    return {**of_models, (LOUDNESS, LOUD): settings.loudness.priority} if settings.loudness.is_on else of_models


def trusted_key(settings: Settings) -> PublicKey | None:
    """The key that must have signed every bundle; None if the settings name none.

    Raises:
        ConfigError: its file cannot be read, or holds no such key.
        MissingExtraError: `cryptography` is not installed.
    """
    file = settings.bundles.public_key
    try:
        return None if file is None else PublicKey.read(file)
    except ConfigError as error:
        raise ConfigError(f'"public_key" in [bundles]: {error}', key=("bundles", "public_key")) from None


def bundle_files(settings: Settings, wanted: Sequence[str] = ()) -> list[Path]:
    """The files of the models that `open_models` would open. Raises what it raises for a name that does not exist."""
    return [choice.path for choice in _chosen(settings, wanted)]


def _tried(chosen: Sequence[_Choice], key: PublicKey | None, is_stopped: Callable[[], bool]) -> dict[Path, str]:
    """As `tried_bundles`; an error about a bundle that the settings name has the key that names it."""
    for choice in chosen:
        if choice.settings is not None:
            _refuse_unreadable(choice.settings, choice.path)
    try:
        return tried_bundles([choice.path for choice in chosen], key, is_stopped=is_stopped)
    except BundleError as error:
        named = [each.settings for each in chosen if each.settings and str(error).startswith(f"{each.path}:")]
        raise BundleError(str(error), key=_bundle_key(named[0]) if named else ()) from None


def tried_bundles(
    paths: Sequence[Path],
    key: PublicKey | None = None,
    *,
    compares: bool = False,
    is_stopped: Callable[[], bool] = never,
) -> dict[Path, str]:
    """Path -> SHA-256 of bundles that passed a trial in one child process; the runtime is imported meanwhile.

    Args:
        paths: of the bundles.
        key: that must have signed them; a bundle that it did not sign is neither parsed nor tried.
        compares: whether reference scores are compared too, which takes longer.
        is_stopped: whether nobody needs the result any more.

    Raises:
        StoppedError: nobody needs the result any more.
        BundleError: a bundle is damaged, is not signed with the key, or fails its trial.
        MissingExtraError: no runtime is installed.
        ServiceError: no process can be started for the trial.
    """
    if key is not None:
        for path in paths:
            check_signed(path, key)
    limits = REFERENCE_LIMITS if compares else LIMITS
    with Trial(paths, limits, compares=compares, is_stopped=is_stopped) as trial:
        load_runtime()
        return trial.result()
    raise AssertionError("a trial swallows no error")


def read_tried(path: Path, sha256: str, key: PublicKey | None = None) -> Bundle:
    """The bundle that passed a trial, and that a key must have signed, if one is given.

    Raises:
        BundleError: the file is another one by now.
    """
    bundle = read_bundle(path, key=key)
    if bundle.sha256 != sha256:
        raise BundleError(f"{path}: the file changed while it was tried; try again")
    return bundle


def _chosen(settings: Settings, wanted: Sequence[str]) -> list[_Choice]:
    if wanted:
        known = {model.bundle: model for model in settings.models}
        return [_Choice(bundle_path(name), known.get(name)) for name in wanted]
    missing = missing_models(settings, shipped_bundles())
    if missing:
        first = next(model for model in settings.listening if model.bundle in missing)
        raise ConfigError(missing_sentence(settings, missing), key=("model", first.name, "bundle"))
    return [_Choice(bundle_path(model.bundle), model) for model in settings.listening]


class _Choice(NamedTuple):
    """A bundle to open, and its settings, if it has any."""

    path: Path
    settings: ModelSettings | None


class _Opened(NamedTuple):
    """One model, for the listener, for reports, and for whoever changes its sensitivity."""

    listening: ListeningModel
    listed: ListedModel
    configured: dict[str, ConfiguredPoint]  # by label


class _Sharing(NamedTuple):
    """What models that are opened together have in common: backbones, who closes them, and whether they say more."""

    backbones: Backbones
    closing: ExitStack
    attends: bool


def _open(choice: _Choice, bundle: Bundle, sharing: _Sharing) -> _Opened:
    settings = choice.settings or ModelSettings(name=bundle.name)
    _refuse_unknown_labels(settings, bundle)
    points = {label.name: _configured_point(label, settings.label(label.name)) for label in bundle.labels}
    labels = [_configured(label, settings.label(label.name), points[label.name]) for label in bundle.labels]
    decided = {label.name: points[label.name] for label in bundle.labels if label.role in DECIDED_ROLES}
    classifier = Classifier.open(bundle, threads=settings.threads, backbones=sharing.backbones, further=sharing.attends)
    listening = ListeningModel(
        name=settings.name,
        labels=tuple(ListeningLabel(label.name, label.role, label.operating_point) for label in labels),
        specs=bundle.specs,
        network=sharing.closing.enter_context(classifier),
        listens_while=settings.listens_while,
        hop_s=None if bundle.head is None else bundle.head.hop_s,
        attention=_attention(settings.name, bundle) if sharing.attends else None,
    )
    return _Opened(listening, _listed(settings.name, bundle, labels), decided)


def _attention(name: str, bundle: Bundle) -> AttentionReader | None:
    return None if bundle.attention is None else AttentionReader(name, bundle.attention, bundle.specs[0])


def _configured(label: Label, settings: LabelSettings, point: ConfiguredPoint) -> Label:
    """The bundle's label, with the settings applied."""
    priority = settings.priority or label.priority
    return replace(label, operating_point=point.at(point.sensitivity), priority=priority)


def _configured_point(label: Label, settings: LabelSettings) -> ConfiguredPoint:
    """The label's operating point, with the settings applied.

    If only one threshold is set and would leave `off` above `on`, the other is moved to it.
    """
    changed = settings.operating_point()
    point = replace(label.operating_point, **changed)
    if point.off > point.on:
        point = replace(point, off=point.on) if "off" not in changed else replace(point, on=point.off)
    return ConfiguredPoint(settings.sensitivity, point)


def shifted(threshold: float, sensitivity: int) -> float:
    """The threshold, its odds p / (1 - p) halved for each step of sensitivity; in [0.001, 0.999]."""
    odds = threshold / (1 - threshold) / 2**sensitivity
    return min(0.999, max(0.001, odds / (1 + odds))) if sensitivity else threshold


def _listed(name: str, bundle: Bundle, labels: Sequence[Label]) -> ListedModel:
    return ListedModel(
        name=name,
        version=bundle.version,
        sample_rate_hz=bundle.sample_rate_hz,
        window_s=bundle.window_samples / bundle.sample_rate_hz,
        terms=card_line(bundle, "licence"),
        sha256=bundle.sha256,
        labels=tuple(
            ListedLabel(label.name, label.role, label.priority, label.operating_point.on, label.operating_point.off)
            for label in labels
        ),
    )


def configured_bundle(settings: ModelSettings, key: PublicKey | None = None) -> Bundle:
    """The bundle that the settings of a model name; it is read, and not run.

    Args:
        settings: of the model.
        key: that must have signed it, if one is given.

    Raises:
        ConfigError: the settings name a label that it does not have.
        BundleError: it cannot be read, or is damaged.
    """
    path = bundle_path(settings.bundle)
    _refuse_unreadable(settings, path)
    try:
        bundle = read_bundle(path, key=key)
    except BundleError as error:
        raise BundleError(str(error), key=_bundle_key(settings)) from None
    _refuse_unknown_labels(settings, bundle)
    return bundle


def _bundle_key(settings: ModelSettings) -> tuple[str, ...]:
    return "model", settings.name, "bundle"


def _refuse_unreadable(settings: ModelSettings, path: Path) -> None:
    key = _bundle_key(settings)
    if not settings.is_file or path.is_dir():
        return
    if path.is_fifo():  # opening it would wait for a writer
        raise BundleError(f"{key_is(key, path)}, which is a pipe; name a file", key=key)
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BundleError(unreadable(key, path, error), key=key) from None


def _refuse_unknown_labels(settings: ModelSettings, bundle: Bundle) -> None:
    decided = [label.name for label in bundle.labels if label.role != "reject"]  # no setting concerns the others
    unknown = next((label.name for label in settings.labels if label.name not in decided), None)
    if unknown is not None:
        known = alternatives(decided)
        sentence = f"model {settings.name} has no label {unknown!r}; it must be {known}"
        raise ConfigError(sentence, key=("model", settings.name, "label", unknown))


def _refuse_duplicate_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two models are named {name!r}; their events could not be told apart, give one")
