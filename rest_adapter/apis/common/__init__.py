"""What all APIs have in common: fields of bodies, options, limits, JSON, generations and their streams."""
