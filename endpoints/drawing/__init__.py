"""Charts as files of their own, for programs that ask for one; pages draw theirs in the dashboard."""
