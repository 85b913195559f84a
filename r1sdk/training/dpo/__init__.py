"""DPO: preferences in, a model trained on TRL's DPOTrainer out."""
