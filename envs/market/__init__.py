"""Market mechanisms, one a file, found by file name.

A *trading* mechanism (``market.trading``) defines ``clear(orders: Orders, tariffs: Tariffs) -> Trades``: who buys from
whom among the peers. A *request* mechanism (``market.request``) defines ``award(offers: Offers) -> Ints``, how the
volume the operator asks for is shared among sealed offers in Wh (B, A), and ``pay(offers, awarded_wh) -> Ints``, the
price per verified kWh (B, A) of these awards or of those that the safety check made of them. One file may define both.
All work on a leading axis of worlds and never see anything but the orders.
"""
