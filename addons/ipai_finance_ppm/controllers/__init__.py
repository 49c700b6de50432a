from . import calendar, dashboard
