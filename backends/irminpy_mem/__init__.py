"""irminpy: a content-addressed, versioned, branchable tree store."""
