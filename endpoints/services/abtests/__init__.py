"""A/B tests: two versions compared on live traffic, from the plan to the decision. It knows no HTTP and no pages."""
