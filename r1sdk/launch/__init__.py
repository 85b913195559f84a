"""Launchers: each starts `r1sdk.train.worker` on a prepared run folder."""
