"""What people can say, one module for each noun: `run(ctx, request) -> Message`."""
