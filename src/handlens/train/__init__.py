"""Training: the only rooms where torch may be imported; nothing outside may import from here."""

from handlens.offline import keep_caches_out_of_home

keep_caches_out_of_home()  # before torch, and before Lightning, which brings matplotlib along
