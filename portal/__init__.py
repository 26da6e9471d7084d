"""The portal: the Flask application learners sign in to, and the worker that runs their sandboxes."""
