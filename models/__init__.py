"""What models exist, where their files are, how they are loaded, and on which device."""
