"""What the tests of services, REST and protocols share."""

from tests.shortcuts import verified_once  # noqa: F401  fixture
