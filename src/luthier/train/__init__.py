"""Floor 3: the state, the step and the only loop.

Nothing is imported here, so that a plan may read the schedule without loading tensors.
"""
