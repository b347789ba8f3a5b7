"""The `act` purpose of the offline model: a search-based program repair agent.

It reads the conversation, runs the tests, enumerates single edits with general operators, orders them by
a general prior and by their similarity to the notes in the prompt, and tries them one by one. It is a
search program, not a language model, and knows nothing but the conversation.
"""

from .policy import act

__all__ = ["act"]
