"""The gateway: the one door through which every process of a run reaches a model.

Kept free of imports, since the offline workers import this package too.
"""
