//! Task definition files: text to `domain` values and back, with every complaint naming its field.
