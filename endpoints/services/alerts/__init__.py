"""Alerts: rules, their measuring, their states, and the telling of people. It knows no HTTP and no pages."""
