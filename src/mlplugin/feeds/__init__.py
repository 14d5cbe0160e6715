"""Public feeds and popularity lists: what there is, fetching them, and labelled files of them."""
