"""The honest behaviour corrupts nothing: a control group to put under ``malicious`` in a comparison."""
