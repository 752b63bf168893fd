//! A Transport that answers from schemas and opens no socket.
