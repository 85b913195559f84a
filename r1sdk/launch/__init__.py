"""Start runs and pipelines, watch them, resume them: here, in a separate process, or on a cluster."""
