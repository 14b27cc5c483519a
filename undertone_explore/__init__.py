"""The explorer: a notebook of marimo that shows clips as a map, plays them and steers to what is picked."""
