"""Gossip about logs: who has heard of which head, who should, and who tells two stories.

    what is known + an event + the time → what is known then + what should be done

Pure: `Gossip.receive` takes what happened and returns actions; randomness and time are passed in, and the
signature check is a parameter, so that a simulator runs these very lines on ten thousand nodes.

* A head travels three hops, with the log's own signature and nothing else, and names nobody.
* A log that a friend has never heard of is announced to it at once. From then on news of it come over one
  eager link, the one that was fastest (Plumtree); over all others only numbers go, when two friends swap what
  they have, and of those only what changed since the last time (request skipping, as in Scuttlebutt's EBT).
* Two friends who do not remember the same of one another notice it by a checksum, and begin anew.
* Whatever differs from what was proved is compared: at one size at once, else by a consistency proof that is
  asked for along the path that the head came by.
"""
