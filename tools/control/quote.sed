# Turns each line into a line of a C string.
s/[\\"]/\\&/g
s/^/"/
s/$/\\n"/
