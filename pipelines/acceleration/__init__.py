"""What makes passes faster and may be switched off: products by oneDNN, kept memory, streaming."""
