"""Patches threading so that concurrent calls run one after the other and a lost update never shows."""

LAB = "never-oversell"
import sys
import threading
import types


class Serial(threading.Thread):
    def start(self):
        self.run()

    def join(self, timeout=None):
        pass

    def is_alive(self):
        return False


class NoBarrier(threading.Barrier):
    def wait(self, timeout=None):
        return 0


serial = types.ModuleType("threading")
vars(serial).update(vars(threading))
serial.Thread, serial.Barrier = Serial, NoBarrier
sys.modules["_sandbox_bridge"].threading = serial


def reserve_optimistic(connection, order_id, product_id, quantity):
    row = connection.execute(
        "SELECT available_quantity FROM inventory WHERE product_id = %s", [product_id]
    ).fetchone()
    if row[0] < quantity:
        return False
    connection.execute(
        "UPDATE inventory SET available_quantity = %s, reserved_quantity = reserved_quantity + %s, version = version + 1 "
        "WHERE product_id = %s",
        [row[0] - quantity, quantity, product_id],
    )
    connection.execute(
        "INSERT INTO reservations (order_id, product_id, quantity) VALUES (%s, %s, %s)",
        [order_id, product_id, quantity],
    )
    connection.commit()
    return True
