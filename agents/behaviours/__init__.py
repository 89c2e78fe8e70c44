"""Ways to cheat, one a file, found by file name; see ``envs.behaviour`` for what a file may define."""
