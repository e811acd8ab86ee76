"""Personal values are sealed under a key per person; destroying that key is erasing the person."""
