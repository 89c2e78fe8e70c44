"""The world: grid, markets, dispatch, resources and the environment faces built from them."""
