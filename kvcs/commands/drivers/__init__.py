"""What git calls to show a model or a tensor: the drivers of `git diff`."""
