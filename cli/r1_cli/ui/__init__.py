"""Views of a run on the terminal: live, followed, summed up."""
