//! Rehearses a module in a confined child process.
