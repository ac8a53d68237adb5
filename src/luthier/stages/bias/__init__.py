"""Where bias and its repair meet the flow: audit, trainings with a change, the gate."""
