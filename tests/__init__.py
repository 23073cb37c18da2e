"""A package, so that `python -m tests.torture` finds this folder and not what a dependency installed as `tests`."""
