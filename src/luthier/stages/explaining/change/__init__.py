"""Before against after: what fine-tuning changed in a finished run's model."""
