"""What became of it: status inquiries, and the reports in a bank's mailbox."""
