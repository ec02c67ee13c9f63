"""MapNet: trunk, heads, criterion and checkpoint."""
