def migrate(cr, version):
    cr.execute(
        """
        UPDATE ipai_demo_entry
           SET reference = 'DL/' || to_char(date, 'YYYY') || '/' || lpad(id::text, 5, '0')
         WHERE reference IS NULL
        """
    )
