"""What operators do in a shell with the database and the keys of a server, whether or not it runs."""
