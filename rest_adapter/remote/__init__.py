"""Files that other servers have, fetched from those alone that the operator lists, and from no address inside."""
