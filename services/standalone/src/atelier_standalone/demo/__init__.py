"""The main job on a fictional district, told in the terminal."""
