//! JSON, merge and strategic-merge patches as the API server applies them.
