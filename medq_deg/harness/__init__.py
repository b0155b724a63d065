"""MedQ-Deg in other people's evaluation harnesses: what they read of it, and their results as a run."""
