"""l2audit: claims about L2 weight regularisation, put on trial by a rule registered beforehand."""

__version__ = "0.1.0"
