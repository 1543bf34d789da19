"""Makes models smaller and faster, and proves it: recipes, a limited child process, benchmarks, report cards."""
