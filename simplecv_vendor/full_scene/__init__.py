"""Networks that see a whole scene at once, and their training: what SSDGL and RSSGL have in common.

A mini-batch is the whole padded scene; what changes from step to step is the indicator of the sampled training pixels.
"""
