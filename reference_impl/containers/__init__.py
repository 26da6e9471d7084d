"""What Meridian's images start, and how they are asked for their health."""
