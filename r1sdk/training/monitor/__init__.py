"""Monitoring of a run: metrics, warnings, trackers, probe evaluations, the disk."""
