//! Publish and subscribe by tag.
