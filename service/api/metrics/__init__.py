"""The core's metrics. May import the values beside this package, and of ``convert`` nothing."""
