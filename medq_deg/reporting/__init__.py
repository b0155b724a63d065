"""What runs say: the report page, comparison, and the leaderboard."""
