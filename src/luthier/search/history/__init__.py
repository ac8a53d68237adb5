"""What earlier runs showed: tasks, their trials and learning curves, and what is learnt from them."""
