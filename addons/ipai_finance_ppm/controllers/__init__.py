from . import dashboard
from . import outbox
