"""What policies, checks, scans and storage share: terms, states and limits. Pure, and beneath all else."""
