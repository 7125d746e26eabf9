"""Every form of every system by its name, as commands take it and tables list it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.errors import ConfigError
from training.networks import baseline, cnn_bilstm, han, residual_dual, resnet34, transfer
from training.networks.audioset import reference_forms as audioset

if TYPE_CHECKING:
    from training.networks.network_form import NetworkForm

PUBLISHED = {
    "cnn_bilstm": cnn_bilstm.forms,
    "residual_dual": residual_dual.forms,
    "han": han.forms,
    "transfer": transfer.forms,
    "resnet34": resnet34.forms,
}
"""The five published designs; each function makes its forms without importing Keras."""

REFERENCES = {"baseline": baseline.forms, "audioset": audioset.forms}
"""What a published design must beat to be shipped."""


def all_forms() -> dict[str, NetworkForm]:
    """`system/form` -> the form, published designs first."""
    makers = [*PUBLISHED.values(), *REFERENCES.values()]
    return {form.name: form for forms in makers for form in forms()}


def find_form(name: str) -> NetworkForm:
    """The form of that name.

    Raises:
        ConfigError: there is none; the sentence lists those that there are.
    """
    forms = all_forms()
    if name not in forms:
        raise ConfigError(f'no network is called "{name}"; there are {", ".join(forms)}')
    return forms[name]
