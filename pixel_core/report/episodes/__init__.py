"""Renders an episode for any page: pictures with the boxes looked at, crops, texts."""
