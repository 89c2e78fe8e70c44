"""Flexible resources, one a file: what each can do, its adjustable range for a quotation, and its cost.

Scalar functions compiled by numba; the phases call them per site. Powers in W, energies in Wh, injection > 0.
"""
