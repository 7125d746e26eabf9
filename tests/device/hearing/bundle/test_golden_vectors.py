"""Golden arrays: what is written is read, and nothing that numpy would evaluate or unpickle is."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import BundleError
from device.hearing.bundle.golden_vectors import GoldenCase, golden_cases, golden_entries
from device.hearing.spec import FeatureSpec

if TYPE_CHECKING:
    import numpy.typing as npt

SPEC = FeatureSpec(sample_rate_hz=8000, window_samples=64, frame_length=16, n_fft=16, hop=8, n_mels=4, f_max_hz=4000.0)
SAMPLES = "golden/sine/samples.npy"
FEATURES = "golden/sine/features_0.npy"
PROBABILITIES = "golden/sine/probabilities.npy"


def _case(samples: npt.NDArray[np.float32] | None = None) -> GoldenCase:
    rng = np.random.default_rng(0)
    made = (rng.integers(-32768, 32768, 64) / 32768).astype(np.float32)
    features = rng.normal(size=SPEC.shape).astype(np.float32)
    return GoldenCase("sine", made if samples is None else samples, (features,), np.array([0.25, 1.0], np.float32))


def _npy(array: npt.NDArray[Any], *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def _read(entries: dict[str, bytes]) -> GoldenCase:
    (case,) = golden_cases(["sine"], entries, [SPEC], 2)
    return case


def test_a_case_is_read_back_bit_for_bit() -> None:
    case = _case()
    found = _read(golden_entries([case]))
    np.testing.assert_array_equal(found.samples, case.samples)
    np.testing.assert_array_equal(found.features[0], case.features[0])
    np.testing.assert_array_equal(found.probabilities, case.probabilities)
    assert {array.dtype for array in (found.samples, found.features[0], found.probabilities)} == {np.dtype(np.float32)}


def test_samples_are_int16_only_where_that_loses_nothing() -> None:
    whole = golden_entries([_case()])[SAMPLES]
    fine = _case(np.linspace(-1, 1, 64, dtype=np.float32))
    assert len(whole) < len(golden_entries([fine])[SAMPLES])
    np.testing.assert_array_equal(_read(golden_entries([fine])).samples, fine.samples)


class _Trap:
    """An object whose unpickling would be seen."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("an object array was unpickled",))


ODD = {
    "object array": (FEATURES, _npy(np.array([[_Trap()]], dtype=object), allow_pickle=True), "no plain"),
    "bare pickle": (FEATURES, b"\x80\x04.", "no plain"),
    "empty": (FEATURES, b"", "no plain"),
    "version 2": (FEATURES, b"\x93NUMPY\x02" + _npy(np.zeros(SPEC.shape, np.float32))[7:], "no plain"),
    "Fortran order": (FEATURES, _npy(np.asfortranarray(np.zeros(SPEC.shape, np.float32))), "no plain"),
    "float64": (FEATURES, _npy(np.zeros(SPEC.shape)), "no plain"),
    "big endian": (FEATURES, _npy(np.zeros(SPEC.shape, ">f4")), "no plain"),
    "structured": (FEATURES, _npy(np.zeros(SPEC.shape, [("a", "<f4")])), "no plain"),
    "int16 features": (FEATURES, _npy(np.zeros(SPEC.shape, np.int16)), "must be float32"),
    "wrong shape": (FEATURES, _npy(np.zeros((4, 7), np.float32)), r"is <f4 \(4, 7\), must be float32 \(7, 4\)"),
    "scalar": (FEATURES, _npy(np.array(1, np.float32)), "no plain"),
    "cut short": (FEATURES, _npy(np.zeros(SPEC.shape, np.float32))[:-1], "holds 111 bytes of numbers, must hold 112"),
    "too long": (FEATURES, _npy(np.zeros(SPEC.shape, np.float32)) + b"x", "holds 113 bytes"),
    "header length lies": (FEATURES, _npy(np.zeros(SPEC.shape, np.float32))[:8] + b"\x10\x00" + bytes(20), "no plain"),
    "not a number": (FEATURES, _npy(np.full(SPEC.shape, np.nan, np.float32)), "not finite"),
    "infinite": (SAMPLES, _npy(np.full(64, np.inf, np.float32)), "not finite"),
    "samples too loud": (SAMPLES, _npy(np.full(64, 1.5, np.float32)), "1.5 to 1.5, must be -1 to 1"),
    "too few samples": (SAMPLES, _npy(np.zeros(63, np.int16)), r"\(63,\), must be float32 or int16 \(64,\)"),
    "probability above 1": (PROBABILITIES, _npy(np.array([0, 2], np.float32)), "0 to 2, must be 0 to 1"),
    "one label too many": (PROBABILITIES, _npy(np.zeros(3, np.float32)), r"\(3,\), must be float32 \(2,\)"),
}


@pytest.mark.parametrize(("name", "data", "sentence"), ODD.values(), ids=ODD.keys())
def test_an_odd_array_is_refused(name: str, data: bytes, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        _read(golden_entries([_case()]) | {name: data})


def test_a_missing_or_foreign_entry_is_refused() -> None:
    entries = golden_entries([_case()])
    with pytest.raises(BundleError, match=r"'golden/sine/features_0\.npy' is missing"):
        _read({name: data for name, data in entries.items() if name != FEATURES})
    with pytest.raises(BundleError, match="belongs to no golden case"):
        _read(entries | {"golden/sine/features_1.npy": entries[FEATURES]})


def test_a_case_may_keep_its_scores_alone() -> None:
    kept, lean = _case(), replace(_case(), name="noise", features=())
    entries = golden_entries([kept, lean])
    assert [name for name in entries if "features" in name] == [FEATURES]
    found = golden_cases(["sine", "noise"], entries, [SPEC], 2, with_features=["sine"])
    np.testing.assert_array_equal(found[0].features[0], kept.features[0])
    assert found[1].features == ()
    np.testing.assert_array_equal(found[1].samples, lean.samples)
    np.testing.assert_array_equal(found[1].probabilities, lean.probabilities)


def test_features_are_kept_of_the_cases_that_say_so_and_of_one_at_least() -> None:
    entries = golden_entries([_case()])
    lean = {name: data for name, data in entries.items() if name != FEATURES}
    with pytest.raises(BundleError, match="no golden case keeps its features, one at least must"):
        golden_cases(["sine"], lean, [SPEC], 2, with_features=[])
    with pytest.raises(BundleError, match=r"features_0\.npy' belongs to no golden case"):
        golden_cases(["sine", "noise"], entries, [SPEC], 2, with_features=["noise"])
    with pytest.raises(BundleError, match="lists features of 'click', which is no golden case"):
        golden_cases(["sine"], entries, [SPEC], 2, with_features=["sine", "click"])


def test_a_bundle_without_golden_cases_proves_nothing_and_is_refused() -> None:
    with pytest.raises(BundleError, match="0 golden cases"):
        golden_cases([], {}, [SPEC], 2)


def test_only_float32_is_written() -> None:
    with pytest.raises(BundleError, match="one is float64"):
        golden_entries([GoldenCase("sine", np.zeros(64, np.float32), (np.zeros(SPEC.shape),), np.zeros(2, np.float32))])  # type: ignore[arg-type]  # the type that is refused


@given(st.data())
def test_a_damaged_array_is_refused_or_read_and_never_anything_else(data: st.DataObject) -> None:
    entries = golden_entries([_case()])
    name = data.draw(st.sampled_from(sorted(entries)))
    damaged = bytearray(entries[name])
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        case = _read(entries | {name: bytes(damaged)})
    except BundleError:
        assert bytes(damaged) != entries[name]
    else:
        assert np.isfinite(case.features[0]).all()
