"""What a run says: comparison, leaderboard and the report page."""
