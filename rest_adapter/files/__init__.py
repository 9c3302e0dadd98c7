"""Files over HTTP: the built-in web page, and a directory of the user."""
