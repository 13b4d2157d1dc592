"""The domain: endpoints, versions, runs, predictions; its rules, its REST interface, its commands."""
