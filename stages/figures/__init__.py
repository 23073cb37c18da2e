"""Tables and images -> figures -> bytes."""

import matplotlib

# as matplotlib's own defaults have it, whatever matplotlibrc is in the working directory or the user's home
matplotlib.rcdefaults()
