"""What companies tell higher apps, of which they know nothing."""

from django.dispatch import Signal

# After a bulk load, with `company_ids`, a sequence of the ids of the new companies, in
# its transaction. post_save announces all other new ones.
companies_loaded = Signal()

# Before a move, with `company` and `parent` (None: to the top). Receivers return a list
# of sentences that say what would change for them.
move_previewed = Signal()

# In the transaction that erases a person, with `contact`, after its fields are gone.
contact_erased = Signal()
