"""One file per figure: a table in, a figure out; never torch."""
