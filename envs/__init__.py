"""The world and its PettingZoo faces."""
