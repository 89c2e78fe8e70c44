"""Runs of scenarios with policies over seeds, their metrics with confidence intervals, and the report."""
