"""The drawn world: a visual search that needs no download and has no wrong labels.

Coloured cards lie on a grid; each bears a digit, large or small. A small digit covers
2.5 x 3.5 pixels of what the model sees, so it cannot be read without zooming in.
"""
