"""Token pools, reservations, purchases and rate buckets."""
