"""The contracts that Meridian publishes, generated from the code and checked in beside this file."""
