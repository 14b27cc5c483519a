"""What makes passes faster without changing what they compute; UNDERTONE_PLAIN=1 turns all of it off."""
