"""HTTP: the server and its connections, heads and bodies, errors, keys, origins. Knows no route and no core."""
