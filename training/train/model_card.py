"""The model card: intended use, data, licences, recipe. It travels in the bundle."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from training.networks.audioset_teacher import LICENCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from training.data.split_list import ListedClip

SOURCES: Mapping[str, tuple[str, str]] = {
    "donateacry": ("Donate-a-cry corpus, github.com/gveres/donateacry-corpus", "ODbL"),
    "esc50": ("ESC-50, K. J. Piczak, ACM Multimedia 2015, github.com/karolpiczak/ESC-50", "CC BY-NC 3.0"),
    "babycry": ("Baby cry detection, github.com/giulbia/baby_cry_detection", "none stated"),
    "ambient": (
        "moodist, Noisekun, blanket, noice, Speech Commands, Picovoice, librosa, Unknown Horizons",
        "per sound: CC0, CC BY, CC BY-SA, CC BY-NC, CC Sampling+, Pixabay, GPL 3, public domain, some not stated",
    ),
    "speech": (
        "speechocean762, Interspeech 2021; Picovoice wake-word benchmark",
        "free for commercial and non-commercial purposes; Apache-2.0",
    ),
    "hard_neg": ("RAVDESS (copy); Indonesian acted distress; snoring detection set", "none stated in the copies"),
    "scream": ("Human scream detection sets; AVS scream database examples", "none stated"),
    "scream_mg": ("github.com/meghana1653/scream-detection", "none stated"),
    "scream_audioset": ("github.com/hemanth-t11/Human-Scream-Detection", "none stated"),
    "rir": ("Web Audio samples; audiomentations", "Apache-2.0; MIT"),
}
"""Name and licence of each collection, as its copy states them."""

HEADLINE = "Hears an infant cry in two seconds of sound at 16 kHz."

TERMS = (
    "Non-commercial research use: parts of the training audio are CC BY-NC 3.0 (ESC-50) or state no licence. "
    "The code that made it is Apache-2.0; the network that taught it is MIT (notice under `teacher`)."
)


def model_card(
    *,
    clips: Iterable[ListedClip],
    recipe: Mapping[str, Any],
    validation: Mapping[str, Any],
    commands: Iterable[str],
) -> dict[str, Any]:
    """The card as JSON types.

    Args:
        clips: the committed list.
        recipe: settings of the training, by name.
        validation: figures on validation subjects.
        commands: the commands that made the model, in order.
    """
    listed = tuple(clips)
    return {
        "headline": HEADLINE,
        "licence": TERMS,
        "intended_use": (
            "Telling a caregiver that an infant within earshot of a microphone has begun to cry, beside and never "
            "instead of a caregiver's attention; research on sound event detection."
        ),
        "not_for": (
            "Medical or safety-critical supervision; telling why an infant cries; telling infants apart; "
            "judging caregivers; commercial use (see licence)."
        ),
        "limits": (
            "Trained on about a hundred infants whose parents recorded them with telephones, and on a few dozen "
            "other recordings. Cats, laughing infants, screams and some birds are what it most easily takes for a "
            "cry. Cries as loud as their background or less are often missed."
        ),
        "data": [
            {"set": name, "what": SOURCES[name][0], "licence": SOURCES[name][1], **_counts(listed, name)}
            for name in sorted({clip.set for clip in listed})
        ],
        "split": (
            "By infant, speaker or source, fixed in training/splits/cry.csv before anything was trained, near "
            "duplicates kept together; validation subjects chose the checkpoint and the operating point."
        ),
        "teacher": {
            "what": (
                "EfficientAT mn04_as (F. Schmid et al., ICASSP 2023), trained on AudioSet, frozen. It marked where in "
                "each cry clip an infant cries, its descriptions of the training windows were a second "
                "target, and a small judge trained on them gave a part of the soft targets."
            ),
            "licence": LICENCE,
        },
        "recipe": dict(recipe),
        "commands": list(commands),
        "validation": dict(validation),
    }


def _counts(clips: Iterable[ListedClip], name: str) -> dict[str, str]:
    """Cries and others in each part, as `cries + others`."""
    counted = Counter((clip.part, clip.label) for clip in clips if clip.set == name)
    return {part: f"{counted[part, 'cry']} + {counted[part, 'other']}" for part in ("train", "val", "test")}
