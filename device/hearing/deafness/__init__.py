"""Does this microphone still hear: one module a sign, and the detector that combines them."""
