"""What companies tell higher apps, of which they know nothing."""

from django.dispatch import Signal

# After a bulk load, with `company_ids`, a sequence of the ids of the new companies, in
# its transaction. post_save announces all other new ones.
companies_loaded = Signal()

# For a preview, with `company`, an id. Receivers return a list of `preview.Standing`:
# how things stand for the company and all below it, in the same order of topics each
# time.
standing_asked = Signal()

# Before a change that may end rights, in its transaction: of the `contact`, or of
# people at the `company` (ids, one of them None), or because the company is `closing`.
# Receivers return a function. It is called after the change and raises what speaks
# against it.
rights_changing = Signal()

# In the transaction that erases a person, with `contact`, after its fields are gone.
contact_erased = Signal()

# In the transaction that merges two companies, with `merging`, a `merging.Merging`:
# receivers move what is theirs through its `change()`, and say so with `tell()`.
companies_merging = Signal()
