//! Requests to a Kubernetes API server and what it answers, as data: the same cases run on the real one and on the one in memory.
