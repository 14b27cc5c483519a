"""Where bytes lie: one small protocol over folders and object stores, and objects that prove themselves."""
