"""A hashed and signed ledger of a distribution grid's market: records, blocks, consensus, proofs.

The package knows accounts, amounts and signatures; it knows no grid, no auction and no learning.
"""
