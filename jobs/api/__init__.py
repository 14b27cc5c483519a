"""The functions and classes of `import undertone`: the commands' work on Python values, without printing."""
