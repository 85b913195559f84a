"""Every subclass and override of TRL. No other package touches TRL's private methods."""
