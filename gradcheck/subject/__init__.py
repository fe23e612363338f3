"""What a layer is: found (`discover`), imported (`load`, `notebook`), placed (`source`), and brought to one form."""
