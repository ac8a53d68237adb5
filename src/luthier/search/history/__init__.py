"""What earlier runs showed: tasks, trials and curves, and what is learnt from them."""
