import pytest

from integrations.webhooks.deliverer import Deliverer


@pytest.fixture
def local(settings):
    """Receivers on this machine may be sent to."""
    settings.WEBHOOK_ALLOW_PRIVATE = True


@pytest.fixture
def work(db, local):
    """What a worker does with `--once`; how many messages were received."""

    def run() -> int:
        deliverer = Deliverer()
        return deliverer.round() + deliverer.finish()

    return run
