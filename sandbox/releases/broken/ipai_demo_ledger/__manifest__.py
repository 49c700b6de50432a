{
    "name": "IPAI Demo Ledger",
    "summary": "A small ledger to practise operations on",
    "version": "1.1.0",
    "license": "LGPL-3",
    "author": "IPAI Ops contributors",
    "category": "Accounting",
    "depends": ["base"],
    "data": [
        "security/ir.model.access.csv",
        "data/ir_cron.xml",
        "data/entries.xml",
        "views/entry_views.xml",
    ],
    "application": True,
}
