"""The scan stream, transport neutral: messages in, messages out, verdict and evidence durable between."""
