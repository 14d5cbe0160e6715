"""The dashboard on a large history, walked with a real browser."""
