from . import calendar, dashboard, desk, outbox
