"""Settings and bundles become models that listen, each verified on this machine first."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Self

from device.config import LabelSettings, ModelSettings, missing_models
from device.errors import ConfigError
from device.hearing.bundle import Bundle, Label, read_bundle
from device.hearing.classifier import Classifier
from device.hearing.decision import OperatingPoint
from device.hearing.listener import Listener, ListeningLabel, ListeningModel
from device.report.content import ListedLabel, ListedModel
from device.upkeep.bundles import bundle_path, card_line, shipped_bundles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from device.config import Settings
    from device.messages import Priority


@dataclass(frozen=True, slots=True, eq=False)
class OpenModels:
    """Models that are ready to listen; a context manager that lets their networks go.

    Attributes:
        listening: as the listener takes them.
        listed: as a page names them.
        priorities: (model, label) -> priority.
    """

    listening: tuple[ListeningModel, ...]
    listed: tuple[ListedModel, ...]
    priorities: dict[tuple[str, str], Priority]
    _closing: ExitStack = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._closing.close()

    def listener(self, settings: Settings, stream_id: str) -> Listener:
        """A fresh listener with these models.

        Raises:
            SpecError: a model cannot listen at the settings' hop.
        """
        return Listener(
            self.listening,
            stream_id=stream_id,
            hop_s=settings.listen.hop_s,
            gates_to_zero=settings.deafness.gates_to_zero,
        )


def open_models(settings: Settings, wanted: Sequence[str] = ()) -> OpenModels:
    """Open and verify the models of the settings, or those `wanted` by name or file instead.

    A wanted model that the settings know by its bundle keeps what they say of it.

    Raises:
        ConfigError: the settings name a model, or a label, that there is not; a name comes twice.
        BundleError: a bundle does not hold.
        MissingExtraError: no runtime is installed.
    """
    chosen = _chosen(settings, wanted)
    with ExitStack() as closing:
        opened = [_open(model, closing) for model in chosen]
        _refuse_twins([listening.name for listening, _ in opened])
        labels = [(listed.name, label) for _, listed in opened for label in listed.labels]
        return OpenModels(
            listening=tuple(listening for listening, _ in opened),
            listed=tuple(listed for _, listed in opened),
            priorities={(model, label.name): label.priority for model, label in labels},
            _closing=closing.pop_all(),
        )
    raise AssertionError("an exit stack swallows no error")


def _chosen(settings: Settings, wanted: Sequence[str]) -> list[ModelSettings]:
    if wanted:
        known = {model.bundle: model for model in settings.models.values()}
        return [known.get(name, ModelSettings(bundle=name)) for name in wanted]
    missing_models(settings, shipped_bundles())
    return list(settings.models.values())


def _open(model: ModelSettings, closing: ExitStack) -> tuple[ListeningModel, ListedModel]:
    path = bundle_path(model.bundle)
    bundle = read_bundle(path)
    _refuse_unknown_labels(model, bundle)
    labels = [_configured(label, model.labels.get(label.name)) for label in bundle.labels]
    network = closing.enter_context(Classifier.open(bundle, threads=model.threads))
    listening = ListeningModel(
        name=bundle.name,
        labels=tuple(ListeningLabel(label.name, label.role, label.operating_point) for label in labels),
        specs=bundle.specs,
        network=network,
        listens_while=model.listens_while,
    )
    return listening, _listed(bundle, labels)


def _configured(label: Label, said: LabelSettings | None) -> Label:
    """The label as the bundle has it, with what the settings say otherwise."""
    if said is None:
        return label
    names = [of.name for of in fields(OperatingPoint)]
    changed = {name: value for name in names if (value := getattr(said, name)) is not None}
    point = replace(label.operating_point, **changed)
    if point.off > point.on:
        raise ConfigError(
            f"label {label.name}: off {point.off:g} is above on {point.on:g}; set both in the configuration"
        )
    return replace(label, operating_point=point, priority=said.priority or label.priority)


def _listed(bundle: Bundle, labels: Sequence[Label]) -> ListedModel:
    return ListedModel(
        name=bundle.name,
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


def _refuse_unknown_labels(model: ModelSettings, bundle: Bundle) -> None:
    for name in model.labels:
        if name not in bundle.label_names:
            there = ", ".join(bundle.label_names)
            raise ConfigError(f"model {bundle.name} has no label {name!r}; its labels are {there}")


def _refuse_twins(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two models are named {name!r}; their events could not be told apart, give one")
