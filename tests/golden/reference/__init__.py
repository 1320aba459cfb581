"""The makers of the reference fixtures; make.py runs them, README.md says what they write."""
