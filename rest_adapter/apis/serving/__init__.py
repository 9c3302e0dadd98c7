"""What the routes of all APIs share: the application's context, bodies and time limits, generations, streams."""
