"""Who plays: rules, behaviours and learners. They see observations and action spaces, nothing else of the world."""
