"""The customer's own store of trusted images: a folder or an S3 prefix, read by reference, never written."""
