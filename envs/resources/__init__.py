"""Flexible resources, one a file: what each can do, its adjustable range for a quotation, and its cost.

Every file ends with ``RESOURCE``, its declaration in the one form of ``base``: the state that it carries from period to
period, the columns that agents set and see, its adjustable range by direction, its costs. What it does by itself, its
range and the state after a period (``advance_…``) are scalar functions compiled by numba, powers in W, energies in Wh,
injection > 0. ``site`` is what the resources of one site do together; it is the only file that knows all of them.
"""
