"""vLLM as the sampler of a training run: in its processes, or as a server that the run starts."""
