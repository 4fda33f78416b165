//! The binary's parts, as a library so that stories can run them.
