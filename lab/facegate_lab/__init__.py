"""The laboratory of Facegate in site-packages: `facegate_app` makes `lab` in it a top-level package."""
