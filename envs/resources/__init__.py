"""Flexible resources, one a file: what each can do, its adjustable range for a quotation, and its cost.

Every file declares the same things: ``ACTIONS`` and ``OBSERVATIONS`` (columns that agents set and see), what it does by
itself, ``range_…_w`` (how far it can be moved for the whole of an event), ``advance_…`` (its state after a period) and
``cost``. They are scalar functions compiled by numba, powers in W, energies in Wh, injection > 0. ``site`` is what the
resources of one site do together; it is the only file that knows all of them.
"""
