"""Asking a loaded model: on the command line, behind the endpoint, and on the demo page.

from pixel_core.serving.reasoner import Reasoner
"""
