"""What keeps the place in order: erasing what has to go."""
