"""`cellctl lake`: ask the lake, prove it complete, keep it. A plug of cellctl."""
