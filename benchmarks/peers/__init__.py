"""The servers that ours is compared with; these modules run in the peers' own environments."""
