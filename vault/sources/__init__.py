"""Where exports are pulled from, and the mirror they are pulled into."""
