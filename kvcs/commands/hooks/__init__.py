"""What git's hooks call: staged models judged, changes summed up, checkouts looked at."""
