"""ISO/IEC 30107-3 measurements of presentation attack detection over labelled images and clips."""
