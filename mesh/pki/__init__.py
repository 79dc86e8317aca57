"""The mesh's own certificates: who issues them, where they lie, and what they prove."""
