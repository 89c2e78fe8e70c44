"""Rule-based policies, one a file, found by file name; see ``agents.policy`` for what a file defines."""
