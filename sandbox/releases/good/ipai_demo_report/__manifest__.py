{
    "name": "IPAI Demo Report",
    "summary": "Sorts the entries of the demo ledger by size",
    "version": "1.1.0",
    "license": "LGPL-3",
    "author": "IPAI Ops contributors",
    "category": "Accounting",
    "depends": ["ipai_demo_ledger"],
    "data": [
        "views/entry_views.xml",
    ],
}
