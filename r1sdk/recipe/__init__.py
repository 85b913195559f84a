"""Recipes: their keys, the layers that make one, and the stages of a pipeline."""
