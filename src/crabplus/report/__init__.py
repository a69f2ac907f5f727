"""What people look at: the HTML report (:mod:`.html`), the table (:mod:`.table`) and pictures (:mod:`.figures`)."""
