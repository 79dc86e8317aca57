"""What should say the same, compared: pure, over what was read in one snapshot."""
