"""What the engine has done: sums and histograms."""
