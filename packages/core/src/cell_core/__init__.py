"""What a cell computes, the ports it needs, and the wire format it speaks; cloud-neutral."""
