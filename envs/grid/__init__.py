"""Distribution feeders: equipment and profiles read through pandapower, power flow as a backward/forward
sweep."""
