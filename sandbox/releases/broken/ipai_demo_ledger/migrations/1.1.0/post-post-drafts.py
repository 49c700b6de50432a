def migrate(cr, version):
    cr.execute("UPDATE ipai_demo_entry SET state = 'posted' WHERE state = 'draft'")
