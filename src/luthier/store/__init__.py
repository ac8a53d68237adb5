"""Floor 1: runs, artefacts, manifests and journals that survive a crash. No tensors."""
