"""What auditkit costs, beside its peers: figures, not verdicts. Run by hand."""
