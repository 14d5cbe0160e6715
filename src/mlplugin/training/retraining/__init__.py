"""The closed loop: a model that is in use, taught by what people decided about its verdicts."""
