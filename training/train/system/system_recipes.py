"""How each system is trained: a table, one row for a system, and what its forms change in it.

Optimizers, rates, batches and losses are those that each design was published with; where it stated none, the row
says what was chosen instead. Knows no network and no data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from device.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

Augmentation = Literal["none", "by_label", "four", "alarm"]


@dataclass(frozen=True, slots=True)
class SystemRecipe:
    """The recipe of one form.

    Attributes:
        task: what it is trained for where the command names none.
        optimizer: of Keras, by its usual name.
        learning_rate: at the first step.
        batch: windows of a step.
        epochs: passes over the training part, at most.
        patience: epochs without a better validation measure after which training ends.
        weight_decay: of AdamW.
        schedule: the rate stays "constant", or falls to 1 % of itself along a "cosine" over all epochs.
        weighted: rare labels weigh more in the loss, by how often they occur in the training part.
        balanced: frequent combinations of labels are drawn less often, rare ones repeated.
        augmentation: what repeated and copied sounds go through: nothing, changes that fit their labels ("by_label",
            for breath sounds), the same "four" for all, or rooms, backgrounds and channels for all ("alarm").
        copies: augmented copies of each training example, besides the example itself.
        copies_of_labelled: the same of examples that have a label of the task, where they are few; at least `copies`.
        only_copies: the examples themselves are left out, as their augmented copies hold what they hold.
        cleaning: what a stretch that is shorter than the window is filled with: itself "repeated", which shows a
            network how long the annotation is, or its "surroundings", as the device hears it; or "published":
            repeated without its silence and at one level.
        mixup: alpha of the Beta distribution that mixes pairs of windows (H. Zhang et al., ICLR 2018); 0 for none.
        mask: share of the frames, and of the bins, that one mask covers at most (SpecAugment); 0 for none.
        average: share of a running average of the weights that each step keeps; the average is what is judged and
            saved, as it jumps less from epoch to epoch (B. Polyak and A. Juditsky, 1992). 0 for the weights themselves.
    """

    task: str
    optimizer: Literal["adam", "adamw", "sgd"]
    learning_rate: float
    batch: int
    epochs: int
    patience: int
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    weighted: bool = False
    balanced: bool = False
    augmentation: Augmentation = "none"
    copies: int = 0
    copies_of_labelled: int = 0
    only_copies: bool = False
    cleaning: Literal["repeated", "surroundings", "published"] = "repeated"
    mixup: float = 0.0
    mask: float = 0.0
    average: float = 0.0


_CNN_BILSTM = SystemRecipe(
    task="breath_sounds",
    optimizer="adam",
    learning_rate=1e-3,
    batch=32,
    epochs=60,
    patience=10,
    weighted=True,
    balanced=True,
    augmentation="by_label",
    cleaning="published",
)
_PLAIN_MLP = replace(_CNN_BILSTM, balanced=False, augmentation="none")
_RESIDUAL_DUAL = SystemRecipe("cry_reason", "adam", 1e-3, 32, 40, 8, weighted=True)
_HAN = SystemRecipe("breath_classes", "adamw", 1e-3, 32, 30, 6, weight_decay=1e-2)
_TRANSFER = SystemRecipe(
    "breath_classes", "adam", 1e-4, 32, 30, 5, weighted=True, augmentation="four", copies=1, mixup=0.2
)
_RESNET34 = SystemRecipe("scream", "adam", 1e-3, 32, 30, 6, weighted=True)
_BASELINE = SystemRecipe(
    task="breath_sounds",
    optimizer="adamw",
    learning_rate=2e-3,
    batch=64,
    epochs=40,
    patience=12,
    weight_decay=1e-2,
    schedule="cosine",
    weighted=True,
    mixup=0.2,
    mask=0.15,
    cleaning="surroundings",
)
_AUDIOSET = replace(_BASELINE, task="cry", learning_rate=5e-4, epochs=20, patience=6)
_AUDIOSET_RELU6 = replace(_AUDIOSET, learning_rate=1e-3, average=0.98)

RECIPES: Mapping[str, SystemRecipe] = {
    "cnn_bilstm": _CNN_BILSTM,
    "cnn_bilstm/streaming": replace(_CNN_BILSTM, cleaning="surroundings"),
    # The published perceptron diverged on cepstra as they are; standardized, and at a tenth of the rate, it converged.
    "cnn_bilstm/mlp-raw": _PLAIN_MLP,
    "cnn_bilstm/mlp": replace(_PLAIN_MLP, learning_rate=1e-4),
    "residual_dual": _RESIDUAL_DUAL,
    "han": _HAN,
    "transfer": _TRANSFER,
    # Nothing of it is trained already.
    "transfer/dual": replace(_TRANSFER, learning_rate=1e-3),
    "resnet34": _RESNET34,
    "resnet34/abnormal": replace(
        _AUDIOSET_RELU6,
        task="abnormal",
        learning_rate=2e-3,
        epochs=12,
        augmentation="alarm",
        copies=2,
        copies_of_labelled=12,
        only_copies=True,
    ),
    "baseline": _BASELINE,
    "baseline/cry": replace(_BASELINE, task="cry"),
    "baseline/scream": replace(_BASELINE, task="scream"),
    "baseline/cry-reason": replace(_BASELINE, task="cry_reason"),
    "audioset": _AUDIOSET,
    "audioset/frozen": replace(_AUDIOSET, learning_rate=2e-3),
    "audioset/frozen-4k": replace(_AUDIOSET, task="breath_sounds", learning_rate=2e-3),
    "audioset/fine-tuned-4k": replace(_AUDIOSET, task="breath_sounds"),
    "audioset/relu6": replace(
        _AUDIOSET_RELU6, task="scream", augmentation="alarm", copies=1, copies_of_labelled=6, only_copies=True
    ),
    "audioset/relu6-4k": replace(_AUDIOSET_RELU6, task="breath_sounds"),
}
"""By system, or by system and form."""


def recipe_of(name: str) -> SystemRecipe:
    """The recipe of a form by its full name, `system/form`.

    Raises:
        ConfigError: its system has none.
    """
    for key in (name, name.partition("/")[0]):
        if key in RECIPES:
            return RECIPES[key]
    raise ConfigError(f'no recipe is written for "{name}"; there are recipes for {", ".join(RECIPES)}')


def rate_at(recipe: SystemRecipe, epoch: int, epochs: int) -> float:
    """The learning rate of an epoch, counted from 1, of `epochs`."""
    if recipe.schedule == "constant":
        return recipe.learning_rate
    fallen = 0.5 * (1 + math.cos(math.pi * (epoch - 1) / max(1, epochs)))
    return recipe.learning_rate * (0.01 + 0.99 * fallen)
