"""How fast it is, beside the best simple alternative, measured in one run on one machine: `make bench`."""
