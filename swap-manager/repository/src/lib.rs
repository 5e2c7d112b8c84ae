//! Versions kept, the current set, and recovery at start.
