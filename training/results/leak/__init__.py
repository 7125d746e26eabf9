"""The experiment that reproduces a published figure by a leaking split, and shows what is left without the leak."""
