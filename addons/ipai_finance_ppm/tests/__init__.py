from . import test_alerts
from . import test_close
from . import test_dashboard
from . import test_filings
from . import test_ladder
from . import test_report
from . import test_rights
from . import test_runbook
