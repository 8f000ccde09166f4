"""Who watches: facts from the store to watchers, who never slow a payment."""
