"""The phases of a period, one a file, in the order in which core.py runs them.

outlook → trigger → quote → clear → safe → deliver → verify → settle → standing. Each is a function of the state's
arrays; inside, numba kernels loop over worlds one at a time, so that a world in a batch is that world alone.
"""
