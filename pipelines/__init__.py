"""From a request to pictures: the request, the resident models, the loop, and the engine that runs jobs."""
