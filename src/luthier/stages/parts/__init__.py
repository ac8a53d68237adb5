"""What several stages share: scores, written answers, models on disk, the kept prefix."""
