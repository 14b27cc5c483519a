"""The commands of Undertone, a folder each: the only package that uses Ray and opens stores."""
