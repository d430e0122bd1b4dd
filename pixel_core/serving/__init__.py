"""Asking a loaded model, from the command line, the endpoint and the demo page.

from pixel_core.serving.reasoner import Reasoner
"""
