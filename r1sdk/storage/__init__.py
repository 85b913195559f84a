"""Storage: files that survive a kill at any moment, and the folders that runs and evaluations are kept in."""
