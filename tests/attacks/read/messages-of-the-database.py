"""Has the database quote hidden rows in an error that the grader passes on as its own words."""

LAB = "never-oversell"
LOOT = "LOOT-ROW"
with lab.connect() as connection:
    connection.execute(
        """
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.product_id ~ '^[a-z]-[0-9a-f]{8}-' THEN
                RAISE EXCEPTION 'LOOT-ROW %', NEW.product_id USING ERRCODE = 'undefined_table';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER tell BEFORE INSERT ON inventory FOR EACH ROW EXECUTE FUNCTION tell();
        """
    )


def reserve_conditional(connection, order_id, product_id, quantity):
    return False
