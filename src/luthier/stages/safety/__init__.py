"""Where safety meets the flow: each part of `safety:` has its file."""
