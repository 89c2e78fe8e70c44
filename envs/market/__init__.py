"""Market mechanisms, one a file, found by file name.

A *trading* mechanism (``market.trading``) defines ``clear(orders: Orders, tariffs: Tariffs) -> Trades``: who buys from
whom among the peers. A *request* mechanism (``market.request``) defines ``award(offers: Offers) -> Ints``: how the
volume the operator asks for is shared among sealed offers, Wh of shape (B, A), paid as the mechanism says.
Both work on a leading axis of worlds and never see anything but the orders.
"""
