"""Holds locks on the lab's tables from a connection that nobody closes."""

LAB = "never-oversell"
import psycopg

holder = psycopg.connect("")


def reserve_conditional(connection, order_id, product_id, quantity):
    holder.execute("LOCK TABLE inventory, reservations, deliveries IN ACCESS EXCLUSIVE MODE")
    return True
