"""What detectors of poison stand on: content without a phrase, false discoveries, work lists."""
