"""Feeders of our own: one Python file each, found by file name as `case:<file>`, defining `build() ->
pandapowerNet`."""
