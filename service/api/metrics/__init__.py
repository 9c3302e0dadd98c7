"""The core's metrics: their declarations, and what ``GetMetrics`` answers. Knows only the modules beside this room."""
