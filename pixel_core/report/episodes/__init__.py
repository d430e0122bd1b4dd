"""One episode for people: pictures with the boxes looked at, crops, texts; for any page."""
