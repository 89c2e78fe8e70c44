"""Dispatch rules, one a file: who adjusts how much so that awards are met at least cost inside the grid's
limits.

A rule is a file with one function

    solve(price, size, a, lower, upper, rows, active, settings) -> Dispatch

see `envs.dispatch.base` for the problem, shapes and units. Files without `solve` are shared parts.
"""
