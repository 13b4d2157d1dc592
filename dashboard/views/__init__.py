"""One file an area: each view reads, asks a service, and renders; rules live in the services."""
