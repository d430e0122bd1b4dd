"""Building blocks of HTML pages: charts, formatted numbers, the style."""
