"""Faust agents, one module a topic. They listen and hand over; they decide nothing."""

ICU_STREAM = True  # the worker refuses a foreign package of this name
