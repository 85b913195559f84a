"""Start runs and pipelines, watch them, resume them: here, in a process of their own, or on a cluster."""
