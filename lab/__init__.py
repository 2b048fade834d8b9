"""What proves that Facegate works, and shows it: none of it runs at a bank."""
