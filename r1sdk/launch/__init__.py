"""Launchers: each starts `r1sdk.train.run` on a prepared run folder."""
