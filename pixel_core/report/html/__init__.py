"""What HTML pages are made of: charts, words for numbers, the style."""
