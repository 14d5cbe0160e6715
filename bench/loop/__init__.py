"""The closed loop on real traffic: what is flagged before, after, and after the way back."""
