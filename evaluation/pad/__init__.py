"""ISO/IEC 30107-3 measurements of presentation attack detection, over pictures and clips with labels."""
