"""Things that stand in scenes: each a function that puts its solids into a place and returns nothing."""
