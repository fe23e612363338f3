"""The ways to print a `gradcheck.records.Report`: pure functions of it, one module per form.

`layout` says what is shown and in which order; `text`, `html` and `junit` give it their form; `json` is the records.
"""
