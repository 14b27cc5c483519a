"""Storage of bytes: one small protocol over folders and object stores, and objects that prove themselves."""
