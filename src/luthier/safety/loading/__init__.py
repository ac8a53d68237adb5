"""Models and archives of strangers: nothing in them may run, swell or climb out."""
