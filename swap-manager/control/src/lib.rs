//! The swap manager: packages in, a new version serving, or nothing changed.
