"""One TensorFlow Lite graph behind names: `run({input: numbers})` returns {output: numbers}."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from device.errors import BundleError
from device.hearing.inference.edge_tensor import EdgeTensor
from device.hearing.inference.interpreter import interpreter_of
from device.quantity import quantity

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt

    Float32 = npt.NDArray[np.float32]
    Shapes = Mapping[str, tuple[int, ...]]


class LoadedGraph:
    """A graph in a runtime's interpreter; used by one thread at a time.

    Inputs and outputs are found by name: their order in a graph is arbitrary.

    Args:
        network: the TensorFlow Lite flatbuffer.
        where: begins an error's sentence, such as `model cry: the network`.
        inputs: name -> shape of all inputs.
        outputs: name -> shape of the outputs that it must have; it may have others.
        further: whether `run` reads these others too.
        threads: that the runtime may use, at least 1.
        accelerated: see `interpreter_of`.

    Raises:
        BundleError: it cannot be loaded, or has other inputs or outputs.
        MissingExtraError: no runtime is installed.
    """

    def __init__(
        self,
        network: bytes,
        where: str,
        inputs: Shapes,
        outputs: Shapes,
        *,
        threads: int,
        accelerated: bool,
        further: bool = True,
    ) -> None:
        self._interpreter = interpreter_of(network, where, threads, accelerated=accelerated)
        found_inputs, found_outputs = _signature(self._interpreter, where)
        if set(found_inputs) != set(inputs):
            raise BundleError(
                f"{where}'s inputs are {', '.join(sorted(found_inputs))}, the specs need {', '.join(sorted(inputs))}"
            )
        for name in outputs:
            if name not in found_outputs:
                raise BundleError(f"{where} has no output {name!r}, only {', '.join(sorted(found_outputs))}")
        self.inputs = {
            name: EdgeTensor(f"{where}'s", found_inputs[name], name, shape) for name, shape in inputs.items()
        }
        self.outputs = {
            name: EdgeTensor(f"{where}'s", detail, name, outputs.get(name))
            for name, detail in found_outputs.items()
            if further or name in outputs
        }

    def __repr__(self) -> str:
        return f"LoadedGraph({', '.join(self.inputs)} -> {', '.join(self.outputs)})"

    def run(self, values: Mapping[str, Float32]) -> dict[str, Float32]:
        """Every output that is read, without the batch axis.

        Args:
            values: numbers for each input, as `EdgeTensor.quantized` takes them.

        Raises:
            ValueError: another shape, or a number that is not finite.
            RuntimeError: the runtime fails.
        """
        for name, tensor in self.inputs.items():
            self._interpreter.set_tensor(tensor.index, tensor.quantized(values[name]))
        self._interpreter.invoke()
        return {name: tensor.values(self._interpreter) for name, tensor in self.outputs.items()}


def _signature(interpreter: Any, where: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What the runtime says of inputs and outputs, by name."""
    signatures = interpreter.get_signature_list()
    if len(signatures) != 1:
        raise BundleError(f"{where} has {quantity(len(signatures), 'signature')}, must have one")
    runner = interpreter.get_signature_runner(next(iter(signatures)))
    return runner.get_input_details(), runner.get_output_details()
