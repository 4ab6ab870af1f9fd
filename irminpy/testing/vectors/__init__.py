"""What the real Irmin computes, computed again."""
