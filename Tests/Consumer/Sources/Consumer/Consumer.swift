// The packages that this target is given are what is tested.
