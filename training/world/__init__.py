"""The drawn world: small scenes made from a seed, with exact ground truth and a caption."""
