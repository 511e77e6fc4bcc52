"""The fire rig: imbot as a real process, killed, cut and throttled, watched by witnesses that live in processes of their own."""
