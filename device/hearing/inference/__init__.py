"""Networks on a TensorFlow Lite runtime: loaded, run, and one backbone shared by the models that have it in common."""
