"""What imbot costs beside the least that is possible and beside the usual way to build it: `make bench`, or
`python -m benchmarks J4a,J4c`. See docs/performance.md.
"""
