"""The other systems that this one is compared with."""
