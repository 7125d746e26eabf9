"""The child process of a bundle's trial: opens each bundle as the daemon would, and reports one line of JSON for each.

Started by `trial_process`, with processor time, memory and bundles as arguments, behind `--reference` where reference
scores are to be compared too. It gives up what it does not need
before it reads the first byte of a bundle. A line is `{"sha256": ...}` of a bundle that passed, or `{"error": ...}`; a
network that ends or holds up the process leaves no line, which the parent sees.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from device.runtime.bundle_trial.confinement import confine_resources, forbid_system_calls

if TYPE_CHECKING:
    from collections.abc import Sequence

REFERENCE = "--reference"
"""First argument of a child that also compares reference scores, as `auricle models verify` does."""

ROUNDS = 4
"""How often a network is run beyond its golden cases, each time with other numbers."""

MAX_SENTENCE = 2000


def main(arguments: Sequence[str]) -> int:
    """Try the bundles; returns exit code 0, whatever was found."""
    compares = arguments[:1] == [REFERENCE]
    cpu_s, data_bytes, *paths = arguments[compares:]
    confine_resources(cpu_s=int(cpu_s), data_bytes=int(data_bytes))
    from device.hearing.bundle import reader  # noqa: F401 - imported while files may still be opened freely
    from device.hearing.classifier import load_runtime
    from device.runtime import model_library  # noqa: F401 - as the reader

    load_runtime()
    forbid_system_calls()
    for path in paths:
        print(json.dumps(_outcome(path, compares=compares)), flush=True)
    return 0


def _outcome(path: str, *, compares: bool) -> dict[str, str]:
    """What `_try` found, as the line that reports it."""
    from device.errors import AuricleError

    try:
        return {"sha256": _try(path, compares=compares)}
    except AuricleError as error:
        sentence = str(error)
    except MemoryError:
        sentence = "it needs more memory than a trial allows"
    except Exception as error:  # noqa: BLE001 - whatever a network causes is a reason to refuse it
        sentence = f"its trial failed: {type(error).__name__}: {error}"
    sentence = " ".join(sentence.split())[:MAX_SENTENCE]
    return {"error": sentence if sentence.startswith(path) else f"{path}: {sentence}"}


def _try(path: str, *, compares: bool) -> str:
    """Open a bundle, run its network, and compare reference scores if asked to; returns the SHA-256 of what was read.

    Raises:
        AuricleError: it is damaged, or does not do what a bundle must.
    """
    import numpy as np

    from device.errors import BundleError, ClassifierError
    from device.hearing.bundle.reader import read_bundle
    from device.hearing.classifier import Classifier, case_features
    from device.runtime.model_library import reference_agreement

    bundle, rng, took_s, past = read_bundle(path), np.random.default_rng(0), [], None
    with Classifier.open(bundle) as classifier:
        for number in range(ROUNDS):
            case, began_s = bundle.golden[number % len(bundle.golden)], time.process_time()
            try:
                shuffled = [
                    rng.permuted(values.ravel()).reshape(values.shape) for values in case_features(bundle, case)
                ]
                past = classifier.classify_after(shuffled, past).next_past
            except ClassifierError as error:
                raise BundleError(f"run with shuffled features: {error}") from None
            took_s.append(time.process_time() - began_s)
        if compares:
            reference_agreement(bundle, classifier)
    refuse_slow(min(took_s), bundle.window_samples / bundle.sample_rate_hz)
    return bundle.sha256


def refuse_slow(took_s: float, window_s: float) -> None:
    """Refuse a network that cannot keep up even at the widest hop: the main loop would stand still in it.

    Raises:
        BundleError: it takes longer than a window lasts.
    """
    from device.errors import BundleError

    if took_s > window_s:
        raise BundleError(f"its network takes {took_s:.1f} s for a window of {window_s:g} s, too long for this machine")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
