"""Charts as inline SVG: pure functions from numbers to text, names in place of legends, words beside them."""
