"""Makes the pages whose source is a data file, the contract or the server."""
