"""Usage events in Cassandra.

Events lie in partitions by (provider, day, shard) and again by (user, provider,
day); every read merges a bounded number of these. Writing an event again
overwrites it. Nothing spans partitions in one transaction: an append that fails
or whose process dies leaves a part of its events, and the sender's next try
makes it whole (see `appending`). A read beside an append may see a part of it.
"""
