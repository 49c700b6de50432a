from . import dashboard
from . import desk
from . import outbox
