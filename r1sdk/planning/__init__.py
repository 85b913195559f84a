"""Planning a run: everything that is decided before a model is loaded."""
