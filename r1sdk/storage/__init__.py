"""Storage: files that a kill at any moment leaves whole, and the folders that runs are kept in."""
