"""BIR deadlines as rules: data in JSON, computed by `engine`. Shared with the control plane; imports nothing of Odoo."""

from .engine import RuleError, WorkingDays, get_filing, get_form, list_filings, list_periods, shipped_rules
from .penalties import estimate_exposure, shipped_penalties
