"""Flexible resources, one a file: what each can do, its adjustable range for a quotation, and its cost.

Every file declares ``ACTIONS`` and ``OBSERVATIONS`` (columns that agents set and see), what it does by itself and how
far it can be moved for the whole of an event (``range_…``, ``limits_w`` of a battery); where it has a state also
``advance_…`` (that after a period), and where using it costs its owner something, ``cost``. Photovoltaic has neither
of the two, load has no state. They are scalar functions compiled by numba, powers in W, energies in Wh, injection > 0.
``site`` is what the resources of one site do together; it is the only file that knows all of them.
"""
