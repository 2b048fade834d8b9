"""What every room of the server uses: errors, files, threads, the sandbox."""
