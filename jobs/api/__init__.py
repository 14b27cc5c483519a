"""What `import undertone` gives: the commands' work as functions of Python values, without a word printed."""
