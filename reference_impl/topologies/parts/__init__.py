"""What the services of a platform run on: a database server, a cache, a broker. One module each, started when none is given."""
